"""The reference of the command line: a page for each command, made from the command itself."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from serbench.cli import PANELS, app

DOCS = Path(__file__).parents[1]
ROOT: Any = typer.main.get_command(app)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WORD = re.compile(
    r"(?<![\w-])--?[a-z][a-z-]*\b|\b[A-Z]{3,}_[A-Z_]+(?:=N)?\b|[{][a-z]+[}]|(?<!\w)\./[\w.-]+\w"
)
COMMANDS = re.compile("<!-- commands: .*? -->")
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


def commands() -> dict[str, Any]:
    """Each command by its name after ``serbench``, in the order of ``--help``."""
    return dict(_below(ROOT, ""))


def _below(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", {})
    if not children:
        yield name, command
    order = [name for panel in PANELS.values() for name in panel]
    for child in sorted(children, key=[*order, *children].index):
        yield from _below(children[child], f"{name} {child}".strip())


def address(name: str) -> str:
    """Of a command's page in the site."""
    return f"cli/{name.replace(' ', '-')}.md"


def pages() -> dict[str, str]:
    """Text by address."""
    shown_in = _pages_by_command()
    return {address(name): page(name, each, shown_in[name]) for name, each in commands().items()}


def listed(text: str) -> str:
    """``cli.md`` with the list of commands, in the groups of ``serbench --help``."""
    lines = [
        f"| {panel} | [`serbench {name}`]({address(name)}) | {_summary(command)} |"
        for panel, members in PANELS.items()
        for name, command in commands().items()
        if name.split()[0] in members
    ]
    table = "\n".join(["| Group | Command | |", "| :-- | :-- | :-- |", *lines])
    return COMMANDS.sub(lambda _: table, text)


def _summary(command: Any) -> str:
    return _with_code(command.help.partition("\n")[0])


def nav() -> list[dict[str, str]]:
    """Entries of the navigation."""
    return [{f"serbench {name}": address(name)} for name in commands()]


def page(name: str, command: Any, shown_in: list[tuple[str, str]] = ()) -> str:
    """What ``serbench NAME --help`` says, as a page.

    Args:
        name: of the command, after ``serbench``.
        command: as typer has it.
        shown_in: titles and addresses of pages that use it.
    """
    context = command.make_context(f"serbench {name}", [], resilient_parsing=True)
    params = [each for each in command.get_params(context) if not each.hidden]
    usage = re.sub(r"[{}]", "", " ".join(command.collect_usage_pieces(context)))
    options = [each for each in params if each.param_type_name == "option"]
    arguments = [each for each in params if each.param_type_name == "argument"]
    links = "\n".join(f"- [{title}](../{path})" for title, path in shown_in)
    parts = [
        f"# serbench {name}",
        f"```text\nserbench {name} {usage}\n```",
        *(_shown(paragraph) for paragraph in re.split(r"\n{2,}", _helped(command.help or ""))),
        _table(
            "Argument", [(f"`{each.metavar or each.name}`", _meaning(each)) for each in arguments]
        ),
        _table("Option", [(_names(each), _meaning(each)) for each in options]),
        f"## Pages that use it\n\n{links}" if links else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _helped(text: str) -> str:
    """Help whose lines of examples are one paragraph."""
    return re.sub(r"(?<=\n)(  \S.*)\n\n(?=  \S)", r"\1\n", text)


def _shown(paragraph: str) -> str:
    lines = paragraph.splitlines()
    if all(line.startswith("  ") for line in lines):
        return "\n".join(["```console", *(f"$ {line.strip()}" for line in lines), "```"])
    return "## Examples" if paragraph.strip() == "Examples:" else _with_code(paragraph)


def _with_code(text: str) -> str:
    """Options, environment variables and files, which help writes as plain words, as code."""
    parts = text.split("`")
    parts[::2] = [WORD.sub(r"`\g<0>`", each) for each in parts[::2]]
    return "`".join(parts)


def _table(head: str, rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    lines = [f"| {name} | {meaning} |" for name, meaning in rows]
    return "\n".join([f"## {head}s", "", f"| {head} | Meaning |", "| :-- | :-- |", *lines])


def _names(option: Any) -> str:
    value = option.metavar
    names = [*option.opts, *option.secondary_opts]
    shown = ", ".join(f"`{each}`" for each in names)
    return f"{shown} `{value}`".replace("|", "\\|") if value else shown


def _meaning(param: Any) -> str:
    text = _with_code(param.help).replace("|", "\\|")
    default = getattr(param, "default", None)
    flag = getattr(param, "is_flag", False) or getattr(param, "count", False)
    if default in (None, "", ()) or flag or not getattr(param, "show_default", False):
        return text
    return f"{text} Default: `{getattr(default, 'value', default)}`."


def _pages_by_command() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    names = sorted(commands(), key=len, reverse=True)
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text("utf-8")
        lines = [line for block in CONSOLE.findall(text) for line in block.splitlines()]
        used = {
            next((each for each in names if line.startswith(f"$ serbench {each}")), None)
            for line in lines
            if not line.endswith("--help")
        }
        for name in used - {None}:
            found[name].append((TITLE.findall(text)[0].replace("`", ""), path.name))
    return found
