"""Commands whose options do not come from a function's own parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

UNCHANGED = (
    "This run is finished, and nothing has changed since: settings, code, libraries, weights, the "
    "corpus's files and the run's files, by size and time of change. Nothing is computed again; "
    "`serbench verify` checks contents."
)
"""Printed instead of running a finished run again."""


@dataclass(frozen=True)
class MadeCommand:
    """A made command, with the attributes of a command's module."""

    HELP: str
    command: Callable[..., None]


def made_command(
    text: str, run: Callable[..., None], parameters: Sequence[inspect.Parameter]
) -> MadeCommand:
    """A command with ``parameters`` for typer, which calls ``run`` with their values."""

    def command(**given: Any) -> None:
        run(**given)

    command.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return MadeCommand(text, command)


def parameter(
    name: str, annotation: Any, default: object = inspect.Parameter.empty
) -> inspect.Parameter:
    """A parameter in the form that typer reads."""
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )
