"""How a command line ends: in one message, or in the traceback of a bug."""

from __future__ import annotations

from typing import Any

import typer

from serbench_runtime.cli import stopping
from serbench_runtime.cli.disarm import disarmed
from serbench_runtime.cli.encodings import keep_output_readable
from serbench_runtime.cli.help import Group
from serbench_runtime.cli.memory import memory_message
from serbench_runtime.errors import SerbenchError


class GuardedGroup(Group):
    """Tells a user's error in one message, and a stop in one line; a bug keeps its traceback."""

    memory_remedy = "close other programs, or take fewer --threads or a machine with more memory"

    def invoke(self, ctx: Any) -> Any:  # click's own, or the one that newer typer carries
        """Run the command.

        It exits with 2 on a ``SerbenchError``, and when stopped, with 128 and the signal's number.
        """
        with disarmed():
            return self._guarded(ctx)

    def explain(self, error: Exception) -> str:
        """The message for users of an error that is no bug; empty of a bug."""
        if isinstance(error, SerbenchError):
            return str(error)
        return memory_message(error, self.memory_remedy)

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
            if stopping.is_stopping():
                raise _stopped() from None
            message = self.explain(error)
            if not message:
                raise
            typer.echo(f"{ctx.info_name}: {message}", err=True)
            raise typer.Exit(2) from None


def _stopped() -> typer.Exit:
    code = stopping.stopped()
    typer.echo(stopping.MESSAGE, err=True)
    return typer.Exit(code)


def guarded(name: str, group: type[GuardedGroup] = GuardedGroup) -> typer.Typer:
    """A command line of that name, to which commands are added."""
    return typer.Typer(
        name=name,
        cls=group,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def run_guarded(app: typer.Typer, name: str) -> None:
    """Run the command line of a process, to its end or until a signal stops it."""
    stopping.listen()
    keep_output_readable()
    try:
        app(prog_name=name)
    finally:
        stopping.leave_if_stopped()
