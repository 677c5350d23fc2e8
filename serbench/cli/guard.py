"""The end of a serbench command: errors, stops and exit codes."""

from __future__ import annotations

from typing import Any

import typer

from serbench.cli.help import Group
from serbench.cli.missing import missing_package
from serbench_runtime.cli.guard import explained, guarded

REMEDY = (
    "use fewer --jobs, a smaller batch (--set training.batch_size=16), --device cpu if an "
    "accelerator ran out, or a machine with more memory. Finished work is kept: the same "
    "command continues from there"
)


class GuardedGroup(Group):
    """Reports a user's error in one message and a stop in one line; a bug keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:  # click's own, or the one in newer typer
        """Run the command; see ``guarded``."""
        with guarded("serbench", _explained):
            try:
                return super().invoke(ctx)
            except typer.Exit as stop:
                raise SystemExit(stop.exit_code) from None
            except EOFError as error:
                # Typer takes this error for the end of the user's input, and only says "Aborted".
                raise RuntimeError("an input ended before it was complete") from error


def _explained(error: Exception) -> str:
    return missing_package(error) or explained(error, REMEDY)
