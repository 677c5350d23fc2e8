"""Makes one message of errors of Python, NumPy and torch that mean that memory ran out."""

from __future__ import annotations

import errno

MARKS = (
    *("not enough memory", "out of memory", "bad_alloc", "bad allocation"),
    *("cannot allocate memory", "failed to allocate memory"),
)
"""Phrases of libraries, in errors of any type."""


def memory_message(error: BaseException, remedy: str) -> str:
    """A message if the error means that memory ran out, else an empty text."""
    said = str(error).strip().splitlines()
    if not (isinstance(error, MemoryError) or _runs_out(error)):
        return ""
    reason = f" ({said[0][:200].rstrip('.')})" if said else ""
    return f"memory ran out{reason}; {remedy}"


def _runs_out(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(mark in str(error).casefold() for mark in MARKS)
