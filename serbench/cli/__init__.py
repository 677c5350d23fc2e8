"""The command line: argument parsing only. Each command is a module with a plain function.

Nothing here may import torch, transformers, pandas or matplotlib at the top: ``serbench --help``
answers at once.
"""

from __future__ import annotations

from types import ModuleType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from serbench.benchmark.disarm import disarmed
from serbench.cli import (
    ablate,
    audit,
    corpus_add,
    corpus_check,
    export,
    folds,
    gc,
    leaderboard,
    plugins,
    predict,
    registry,
    regress,
    report,
    run,
    runs,
    show,
    stopping,
    stream,
    verify,
)
from serbench.cli import list as list_command
from serbench.cli.deprecations import tell_deprecations_once
from serbench.cli.encodings import keep_output_readable
from serbench.cli.help import help_of
from serbench.cli.memory import memory_message
from serbench.cli.study import StudyCommand, study_command
from serbench.studies.registered import STUDIES


class GuardedGroup(TyperGroup):
    """Tells a user's error in one message, and a stop in one line; a bug keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:  # click's own, or the one that newer typer carries
        """Run the command.

        It exits with 2 on a ``SerbenchError``, and when stopped, with 128 and the signal's number.
        """
        with disarmed():
            return self._guarded(ctx)

    def _guarded(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _stopped() from None
        except typer.Exit:
            raise
        except EOFError as error:
            # Typer takes one for the end of what a user types, and says no more than "Aborted".
            raise RuntimeError("something ended early that was to be read") from error
        except Exception as error:
            from serbench.errors import SerbenchError

            if stopping.is_stopping():
                raise _stopped() from None
            message = str(error) if isinstance(error, SerbenchError) else memory_message(error)
            if not message:
                raise
            typer.echo(f"serbench: {message}", err=True)
            raise typer.Exit(2) from None


def _stopped() -> typer.Exit:
    code = stopping.stopped()
    typer.echo(stopping.MESSAGE, err=True)
    return typer.Exit(code)


app = typer.Typer(
    name="serbench",
    cls=GuardedGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from serbench import __version__

        typer.echo(f"serbench {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it."),
    ] = False,
) -> None:
    """The speech-emotion-recognition benchmark that cannot be fooled.

    Examples:

      serbench run akd --dataset demo

      serbench run akd vanilla-kd transformer --dataset emodb

      serbench list methods
    """  # noqa: D412 - typer needs the blank lines


COMMANDS: dict[str, ModuleType | StudyCommand] = {
    "run": run,
    "ablate": ablate,
    "list": list_command,
    "show": show,
    "runs": runs,
    "gc": gc,
    "report": report,
    "leaderboard": leaderboard,
    **{study.name: study_command(study) for study in STUDIES},
    "export": export,
    "folds": folds,
    "audit": audit,
    "verify": verify,
    "regress": regress,
    "predict": predict,
    "stream": stream,
    "plugins": plugins,
}
"""Modules and studies by the name of their command, in the order that ``--help`` lists them."""

for _name, _module in COMMANDS.items():
    app.command(_name, help=help_of(_module, _module.command))(_module.command)

registry_app = typer.Typer(no_args_is_help=True, help="Check and print the registry.")
registry_app.command("check", help=help_of(registry, registry.check))(registry.check)
registry_app.command("show", help=help_of(registry, registry.show))(registry.show)
app.add_typer(registry_app, name="registry")

corpus_app = typer.Typer(no_args_is_help=True, help="Check a corpus, and add one from a folder.")
corpus_app.command("check", help=help_of(corpus_check, corpus_check.command))(corpus_check.command)
corpus_app.command("add", help=help_of(corpus_add, corpus_add.command))(corpus_add.command)
app.add_typer(corpus_app, name="corpus")


def main() -> None:
    """The ``serbench`` command."""
    stopping.listen()
    keep_output_readable()
    tell_deprecations_once()
    try:
        app(prog_name="serbench")
    finally:
        stopping.leave_if_stopped()
