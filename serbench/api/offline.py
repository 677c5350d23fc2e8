"""Prevents downloads while a run folder is read, because it may come from an unknown person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_OFFLINE: ContextVar[bool] = ContextVar("serbench_offline", default=False)


@contextmanager
def offline() -> Iterator[None]:
    """Inside this context, only corpora and weights on this machine are used."""
    token = _OFFLINE.set(True)
    try:
        yield
    finally:
        _OFFLINE.reset(token)


def is_offline() -> bool:
    """Whether nothing may be downloaded or built now. Teachers ask before they download weights."""
    return _OFFLINE.get()
