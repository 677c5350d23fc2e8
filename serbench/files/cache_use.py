"""Who is using the cache: every command that reads or fills it holds a lock in it meanwhile."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

USERS = "users"
"""Folder of the locks, below the cache."""

GATE = "gate.lock"
"""Whoever begins to use the cache passes by here; whoever cleans it lets nobody pass."""


@contextmanager
def using_cache(cache: Path) -> Iterator[None]:
    """Hold a lock of one's own in ``cache``, which ends with the process at the latest."""
    path = cache / USERS / f"{os.getpid()}-{secrets.token_hex(4)}.lock"
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(GATE)):
            lock.acquire()
    except OSError:  # nothing is removed from where nothing can be written
        yield
        return
    try:
        yield
    finally:
        lock.release()
        path.unlink(missing_ok=True)


@contextmanager
def cleaning_cache(cache: Path) -> Iterator[tuple[int, ...]]:
    """Meanwhile nobody begins to use ``cache``; who does already is given, see ``cache_users``."""
    folder = cache / USERS
    if not folder.is_dir():  # nobody has ever used it
        yield ()
        return
    with FileLock(folder / GATE):
        yield cache_users(cache)


def cache_users(cache: Path) -> tuple[int, ...]:
    """Process ids that hold a lock in ``cache``."""
    found = set()
    for path in sorted((cache / USERS).glob("*-*.lock")):
        if is_held(path):
            found.add(int(path.name.partition("-")[0]))
    return tuple(sorted(found))


def is_held(path: Path) -> bool:
    """Whether a process holds the lock in a file that is there."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # gone meanwhile, or somebody else's
        return path.exists()
    lock.release()
    return False
