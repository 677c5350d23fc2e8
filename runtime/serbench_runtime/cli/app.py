"""The ``serbench-runtime`` command."""

from __future__ import annotations

from typing import Annotated

import typer

from serbench_runtime import __version__
from serbench_runtime.cli import predict, stream
from serbench_runtime.cli.guard import guarded, run_guarded
from serbench_runtime.cli.help import Command, help_of

NAME = "serbench-runtime"

app = guarded(NAME)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{NAME} {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Classify speech with models that serbench has exported: predict files, follow streams."""


for _name, _module in {"predict": predict, "stream": stream}.items():
    _help = help_of(_module, _module.command).replace("serbench ", f"{NAME} ")
    app.command(_name, cls=Command, help=_help)(_module.command)


def main() -> None:
    """The ``serbench-runtime`` command."""
    run_guarded(app, NAME)
