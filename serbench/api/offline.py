"""While a run folder is read, nothing is downloaded or made: it may be a stranger's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_OFFLINE: ContextVar[bool] = ContextVar("serbench_offline", default=False)


@contextmanager
def offline() -> Iterator[None]:
    """Corpora and weights are taken from this machine alone while this is open."""
    token = _OFFLINE.set(True)
    try:
        yield
    finally:
        _OFFLINE.reset(token)


def is_offline() -> bool:
    """Whether nothing may be downloaded or made now. A teacher asks before it fetches weights."""
    return _OFFLINE.get()
