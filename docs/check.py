"""Check the links of the documentation as a forge shows it, where a page is a file.

Run by ``make docs``. Every relative link of README.md, CHANGELOG.md, CONTRIBUTING.md and docs/*.md
must lead to a file, and its #anchor to a heading there. mkdocs checks the links of the site.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMED = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")
PAGES = (*(ROOT / name for name in NAMED), *sorted((ROOT / "docs").glob("*.md")))

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?)$", re.MULTILINE)


def main() -> int:
    """Print every problem; the exit code is 1 where there is one."""
    problems = [problem for page in PAGES for problem in broken_links(page)]
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    if not problems:
        sys.stdout.write(f"{len(PAGES)} pages: links resolve\n")
    return 1 if problems else 0


def broken_links(page: Path) -> Iterator[str]:
    """Relative links of ``page`` that lead nowhere."""
    for target in LINK.findall(FENCED.sub("", page.read_text())):
        path, _, anchor = target.partition("#")
        if "://" in path or path.startswith("mailto:"):
            continue
        there = (page.parent / path).resolve() if path else page
        if not there.exists():
            yield f"{page.relative_to(ROOT)}: {target}: there is no such file"
        elif anchor and anchor not in anchors(there.read_text()):
            yield f"{page.relative_to(ROOT)}: {target}: there is no such heading"


def anchors(text: str) -> set[str]:
    """The anchors that forges give to headings: lower case, words joined by hyphens."""
    titles = HEADING.findall(FENCED.sub("", text))
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.strip().replace(" ", "-") for title in plain}


if __name__ == "__main__":
    sys.exit(main())
