"""Pages that are kept beside the documentation, and links between them and it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEPT = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
LINK = re.compile(r"\]\((\S+?)(#[^)\s]*)?\)")


def pages() -> dict[str, str]:
    """Text by the address in the site."""
    return {path: _from_root((ROOT / name).read_text("utf-8")) for name, path in KEPT.items()}


def _from_root(text: str) -> str:
    """Links of a page of the root as the site has them; what the site lacks becomes plain text."""

    def lead(link: re.Match[str]) -> str:
        target, anchor = link[1], link[2] or ""
        if "://" in target or target.startswith("#"):
            return link[0]
        within = KEPT.get(
            target, target.removeprefix("docs/") if target != "README.md" else "index.md"
        )
        return f"]({within}{anchor})"

    return LINK.sub(lead, text)


def led_within(text: str) -> str:
    """A page of the documentation whose links to the root lead to the site's copies."""
    for name, path in {**KEPT, "README.md": "index.md"}.items():
        text = text.replace(f"](../{name}", f"]({path}")
    return text
