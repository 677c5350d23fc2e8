"""Locks of the processes that use the cache."""

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
"""Processes pass this lock before they use the cache; cleaning blocks it."""


@contextmanager
def using_cache(cache: Path) -> Iterator[None]:
    """Hold a lock in ``cache``; it ends with the process at the latest."""
    path = cache / USERS / f"{os.getpid()}-{secrets.token_hex(4)}.lock"
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(GATE)):
            lock.acquire()
    except OSError:  # cleaning cannot remove from a folder that is not writable
        yield
        return
    try:
        yield
    finally:
        lock.release()
        path.unlink(missing_ok=True)


@contextmanager
def cleaning_cache(cache: Path) -> Iterator[tuple[int, ...]]:
    """Keep new processes from using ``cache``, and yield the present ones, see ``cache_users``."""
    folder = cache / USERS
    if not folder.is_dir():  # nobody has ever used it
        yield ()
        return
    with FileLock(folder / GATE):
        yield cache_users(cache)


def cache_users(cache: Path) -> tuple[int, ...]:
    """Ids of processes that hold a lock in ``cache``."""
    found = set()
    for path in sorted((cache / USERS).glob("*-*.lock")):
        if is_held(path):
            found.add(int(path.name.partition("-")[0]))
    return tuple(sorted(found))


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of an existing file."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # removed meanwhile, or of another user
        return path.exists()
    lock.release()
    return False
