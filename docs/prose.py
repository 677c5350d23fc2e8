"""Look for wording that the style guide rules out, in everything that users read.

Run by ``make lint``. The rules are in ``prose.toml``; ``style-guide.md`` explains them. The check
reads Markdown pages (without code), templates, and every string of two words or more in the code:
a user may see it. Docstrings are read where the documentation shows them.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("*.md", "docs/*.md", "runtime/*.md", "serbench/**/*.md")
TEMPLATES = ("serbench/**/*.j2",)
CODE = ("serbench/**/*.py", "runtime/**/*.py", "plugins/**/*.py", "baselines/**/*.py")
PUBLIC = ("serbench/api/", "serbench/testing/", "serbench/benchmark/", "serbench/cli/", "runtime/")
"""Where docstrings are read too: the documentation and ``--help`` show them."""

FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`[^`\n]+`|\]\([^)]*\)")
MARKUP = re.compile(r"\{[%#].*?[%#]\}|\{\{.*?\}\}|<[^>]*>", re.DOTALL)
DEFINITIONS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

Passage = tuple[int, str]
"""The line that a text begins in, and the text."""


def main() -> int:
    """Print every place that breaks a rule; the exit code is 1 where there is one."""
    rules = tomllib.loads((ROOT / "docs" / "prose.toml").read_text(encoding="utf-8"))["rule"]
    patterns = [(re.compile(rule["pattern"], re.IGNORECASE), rule["instead"]) for rule in rules]
    found = 0
    for path, (line, text) in passages():
        for pattern, instead in patterns:
            for match in pattern.finditer(text):
                at = line + text.count("\n", 0, match.start())
                shown = " ".join(match.group().split())
                sys.stdout.write(f'{path}:{at}: "{shown}": write {instead}\n')
                found += 1
    sys.stdout.write(f"prose: {len(patterns)} rules, {found} places to change\n")
    return 1 if found else 0


def passages() -> Iterator[tuple[Path, Passage]]:
    """All texts, with the files that hold them, relative to the repository."""
    for globs, read in ((PAGES, markdown), (TEMPLATES, template), (CODE, strings)):
        for path in sorted({path for glob in globs for path in ROOT.glob(glob)}):
            text = path.read_text(encoding="utf-8")
            for passage in read(text, path.relative_to(ROOT).as_posix()):
                yield path.relative_to(ROOT), passage


def markdown(text: str, _: str) -> Iterator[Passage]:
    """Paragraphs of a page, without code and addresses."""
    yield from paragraphs(blank(INLINE, blank(FENCED, text)))


def template(text: str, _: str) -> Iterator[Passage]:
    """Paragraphs of a Jinja template, without its markup."""
    yield from paragraphs(blank(MARKUP, text))


def paragraphs(text: str) -> Iterator[Passage]:
    """Text between blank lines; a line break within counts as a space."""
    line = 1
    for paragraph in re.split(r"(\n\s*\n)", text):
        if paragraph.strip():
            yield line, paragraph
        line += paragraph.count("\n")


def blank(pattern: re.Pattern[str], text: str) -> str:
    """``text`` with every match replaced by as many line breaks as it had."""
    return pattern.sub(lambda match: "\n" * match.group().count("\n") or "`", text)


def strings(text: str, path: str) -> Iterator[Passage]:
    """Strings of a module of two words or more; placeholders of f-strings read as one letter."""
    tree = ast.parse(text)
    skipped = set() if path.startswith(PUBLIC) else set(docstrings(tree))
    inner = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    for node in ast.walk(tree):
        if id(node) in inner or id(node) in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
            said = "".join(str(part) for part in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            said = node.value
        else:
            continue
        if " " in said.strip():
            yield node.lineno, INLINE.sub("`", said)


def docstrings(tree: ast.Module) -> Iterator[int]:
    """Identities of the strings that document a definition, or the constant above them."""
    for node in ast.walk(tree):
        if isinstance(node, DEFINITIONS):
            for statement in node.body:
                if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                    yield id(statement.value)


if __name__ == "__main__":
    sys.exit(main())
