"""The commands of serbench-runtime, as commands of serbench."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Annotated, Any

import typer

from serbench.cli.made import MadeCommand, made_command, parameter
from serbench_runtime.cli.options import Parameter, parameters


def runtime_command(module: ModuleType) -> MadeCommand:
    """The command of a module, with options for typer instead of argparse."""
    made = [
        parameter(each.name, _annotation(each), each.default) for each in parameters(module.command)
    ]
    return made_command(module.HELP, partial(module.command, program="serbench"), made)


def _annotation(taken: Parameter) -> Any:
    stated = taken.stated
    settings: dict[str, Any] = {"help": stated.help, "metavar": stated.metavar}
    if stated.names:
        info = typer.Option(*stated.names, min=stated.least, **settings)
    else:
        info = typer.Argument(**settings)
    one = list[taken.kind] if taken.several else taken.kind  # pyright: ignore[reportInvalidTypeForm]
    return Annotated[one | None if taken.default is None else one, info]
