"""How a command of serbench ends."""

from __future__ import annotations

from typing import Any

import typer

from serbench.cli.help import Group
from serbench.cli.missing import missing_package
from serbench_runtime.cli.guard import explained, guarded

REMEDY = (
    "take fewer --jobs, a smaller batch (--set training.batch_size=16), --device cpu where it was "
    "an accelerator's, or a machine with more memory. What is finished is kept: the same command "
    "goes on from there"
)


class GuardedGroup(Group):
    """Tells a user's error in one message, and a stop in one line; a bug keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:  # click's own, or the one that newer typer carries
        """Run the command, see ``guarded``."""
        with guarded("serbench", _explained):
            try:
                return super().invoke(ctx)
            except typer.Exit as stop:
                raise SystemExit(stop.exit_code) from None
            except EOFError as error:
                # Typer takes one for the end of what a user types, and says no more than "Aborted".
                raise RuntimeError("something ended early that was to be read") from error


def _explained(error: Exception) -> str:
    return missing_package(error) or explained(error, REMEDY)
