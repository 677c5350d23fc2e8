"""Threads that stop when asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def default_threads() -> int:
    """Number of threads for reading files."""
    return min(8, os.cpu_count() or 1)


@contextmanager
def thread_pool(threads: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """A pool that is left at once if its block raises: waiting items never start."""
    pool = ThreadPoolExecutor(threads or default_threads())
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def in_threads(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """``function`` of every item, in order, computed in threads."""
    with thread_pool() as pool:
        yield from pool.map(function, items)
