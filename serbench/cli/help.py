"""Text of ``--help``, and the message for an unknown command."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from typer.core import TyperCommand, TyperGroup

from serbench_runtime.errors import did_you_mean, near_names


def help_of(module: object, command: Callable[..., object]) -> str:
    """A command's help: its module's ``HELP``, else its docstring, each paragraph as one line.

    A terminal then wraps it to its own width. Indented lines, such as examples, stay as they are.
    """
    text = getattr(module, "HELP", None) or inspect.getdoc(command) or ""
    return "\n\n".join(_one_line(paragraph) for paragraph in re.split(r"\n\s*\n", text.strip()))


def _one_line(paragraph: str) -> str:
    return paragraph if paragraph.startswith(" ") else re.sub(r"\n(?! )", " ", paragraph)


class _Plain:
    """Help without types next to flags and arguments; an unknown option lists only similar names.

    Contexts, parameters and errors are click's own, or those in newer typer.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """All parameters, as ``--help`` shows them."""
        return [_without_type(each, ctx) for each in super().get_params(ctx)]  # pyright: ignore[reportAttributeAccessIssue]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments."""
        try:
            return super().parse_args(ctx, args)  # pyright: ignore[reportAttributeAccessIssue]
        except Exception as error:
            if asked := getattr(error, "option_name", ""):
                known = [name for each in self.get_params(ctx) for name in each.opts]
                vars(error)["possibilities"] = near_names(asked, known)
            if said := getattr(error, "message", ""):
                vars(error)["message"] = _in_plain_words(said)
            raise


def _in_plain_words(message: str) -> str:
    """Newer typer's message about a value, without the terms of pydantic."""
    return message.removeprefix("Value error, ").replace("Input should be ", "must be ", 1)


WORDS = {"int": "N", "float": "N", "int range": "N", "float range": "N", "str": "TEXT"}
"""Placeholders of values whose options have no better one; choices are listed themselves."""


def _without_type(param: Any, ctx: Any) -> Any:
    if param.param_type_name == "argument":
        # Newer typer writes the type after the name, and has no setting for this.
        param.display_type_rich = lambda *_, **__: None
    elif param.metavar is None and (param.is_flag or param.count):
        param.metavar = ""
    elif param.metavar is None and hasattr(param, "display_type"):  # in newer typer
        shown = param.display_type(ctx).strip("<>")
        param.metavar = WORDS.get(shown, shown)
    return param


class Command(_Plain, TyperCommand):
    """A command."""


class Group(_Plain, TyperGroup):
    """Several commands."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first argument names."""
        name = args[0]
        if not (name.startswith("-") or ctx.resilient_parsing or self.get_command(ctx, name)):
            see = f"{ctx.command_path} --help"
            near = did_you_mean(name, self.list_commands(ctx), see)
            ctx.fail(f"no command is called {name!r}{near}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each command with its short help, under its panel."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            panel = getattr(command, "rich_help_panel", None) or "Commands"
            panels.setdefault(str(panel), []).append((name, (command.help or "").split("\n")[0]))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)
