"""No downloads while a run folder is read: it may come from a stranger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_OFFLINE: ContextVar[bool] = ContextVar("serbench_offline", default=False)


@contextmanager
def offline() -> Iterator[None]:
    """While this is open, corpora and weights come from this machine alone."""
    token = _OFFLINE.set(True)
    try:
        yield
    finally:
        _OFFLINE.reset(token)


def is_offline() -> bool:
    """Whether nothing may be downloaded or built now. Teachers ask before they download weights."""
    return _OFFLINE.get()
