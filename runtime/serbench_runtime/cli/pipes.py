"""Ends commands that write to a pipe whose reader has closed it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

READER_GONE = 141
"""Exit code that a shell expects from a program whose reader has closed the pipe."""


@contextmanager
def finishing_early() -> Iterator[None]:
    """End quietly, with 141, if the reader of standard output closes it."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes standard output again when it exits.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        raise SystemExit(READER_GONE) from None
