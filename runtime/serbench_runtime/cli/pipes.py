"""Being one end of a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

READER_GONE = 141
"""What a shell expects of a program whose reader has gone away."""


@contextmanager
def finishing_early() -> Iterator[None]:
    """End quietly, with 141, where whoever reads standard output has had enough of it."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes standard output once more when it exits.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        raise SystemExit(READER_GONE) from None
