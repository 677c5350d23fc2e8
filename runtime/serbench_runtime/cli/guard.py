"""How a command ends: with one message, or with the traceback of a bug."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serbench_runtime.cli import stopping
from serbench_runtime.cli.disarm import disarmed
from serbench_runtime.cli.encodings import keep_output_readable
from serbench_runtime.cli.memory import memory_message
from serbench_runtime.errors import SerbenchError

FAILED = SerbenchError.exit_code
"""The exit code of a user's error, unless the error has another."""

REMEDY = "close other programs, or use fewer --threads or a machine with more memory"


def explained(error: Exception, remedy: str = REMEDY) -> str:
    """The message for users of an error that is not a bug; empty for a bug.

    Args:
        error: the exception.
        remedy: what to do if memory ran out.
    """
    return str(error) if isinstance(error, SerbenchError) else memory_message(error, remedy)


@contextmanager
def guarded(program: str, explain: Callable[[Exception], str] = explained) -> Iterator[None]:
    """Report a user's error in one message, and a stop in one line; a bug keeps its traceback.

    The process exits with the error's own code, usually 2; if it was stopped, with 128 plus the
    signal's number.

    Args:
        program: the command line's name, which begins the message.
        explain: returns the message of an error; empty for a bug.
    """
    with disarmed():
        try:
            yield
        except KeyboardInterrupt:
            raise _stopped() from None
        except Exception as error:
            if stopping.is_stopping():
                raise _stopped() from None
            if not (message := explain(error)):
                raise
            print(f"{program}: {message}", file=sys.stderr)
            raise SystemExit(getattr(error, "exit_code", FAILED)) from None


def _stopped() -> SystemExit:
    code = stopping.stopped()
    print(stopping.MESSAGE, file=sys.stderr)
    return SystemExit(code)


def run_command_line(command_line: Callable[[], object]) -> None:
    """Run the command line of a process, to its end or until a signal stops it."""
    stopping.listen()
    keep_output_readable()
    try:
        command_line()
    finally:
        stopping.leave_if_stopped()
