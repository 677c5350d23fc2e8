"""Threads that stop when asked, and limits on the number of a computation's threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 8
"""Items that each thread may be ahead of the one whose result is taken."""


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
    """Yield the results of ``function`` for all items, in order, computed in threads.

    Only a few results wait at a time, however many items there are.
    """
    ahead = AHEAD * default_threads()
    with thread_pool() as pool:
        jobs: deque[Future[R]] = deque()
        for item in items:
            jobs.append(pool.submit(function, item))
            if len(jobs) > ahead:
                yield jobs.popleft().result()
        while jobs:
            yield jobs.popleft().result()


@contextmanager
def limited_threads(count: int = 1) -> Iterator[None]:
    """Limit torch, and the libraries that NumPy and scikit-learn use, to ``count`` threads."""
    import torch  # every command imports this module
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(limits=count):
            yield
    finally:
        torch.set_num_threads(before)
