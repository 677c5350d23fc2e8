"""Removes the chosen entries, and nothing else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from serbench.files.gc.contents import CacheEntry, CacheFile


@dataclass(slots=True)
class Removed:
    """Result of a removal.

    Attributes:
        entries, files, size_bytes: numbers of removed entries, files and bytes.
        vanished: entries that had already been removed, wholly or in part.
        kept: entries that were kept because they changed, are in use or hold other files.
        failed: entries that could not be removed, with the reason.
    """

    entries: int = 0
    files: int = 0
    size_bytes: int = 0
    vanished: int = 0
    kept: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


class _KeptError(Exception):
    """An entry has changed, or is in use."""


def remove(root: Path, entries: Iterable[CacheEntry]) -> Removed:
    """Remove entries of the cache in ``root`` that have not changed since the walk.

    A folder is renamed first, so that no process finds a part of it.
    """
    done = Removed()
    for entry in entries:
        try:
            with _locked(root / f"{entry.path}.lock"):
                if entry.is_folder and entry.kind != "temporaries":
                    _remove_folder(root, entry, done)
                else:
                    _remove_files(root, entry, done)
        except _KeptError as error:
            done.kept.append(f"{entry.path}: {error}")
        except FileNotFoundError:
            done.vanished += 1
        except OSError as error:
            done.failed.append(f"{entry.path}: {error.strerror or error}")
        else:
            done.entries += 1
    return done


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an entry's lock, if it has one. Its file is not removed: processes may wait for it."""
    if not path.exists():
        yield
        return
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise _KeptError("in use") from None
    try:
        yield
    finally:
        lock.release()


def _remove_files(root: Path, entry: CacheEntry, done: Removed) -> None:
    """Remove an entry's files, and the folder of a temporary entry if it is empty afterwards."""
    for file in entry.files:
        _check_same(root, root / file.path, file)
    for file in entry.files:
        _unlink(root / file.path, file, done)
    if entry.is_folder:
        with suppress(OSError):  # other files in it are kept
            _remove_empty(root / entry.path)


def _remove_folder(root: Path, entry: CacheEntry, done: Removed) -> None:
    folder = root / entry.path
    for file in entry.files:
        _check_same(root, root / file.path, file)
    aside = folder.with_name(f".{folder.name.lstrip('.')}.{os.getpid()}.gc.tmp")
    folder.rename(aside)
    known = {file.path.removeprefix(f"{entry.path}/"): file for file in entry.files}
    if set(_inside(aside, "")) - set(known):
        aside.rename(folder)
        raise _KeptError("it holds other files too")
    for below, file in known.items():
        _unlink(aside / below, file, done)
    _remove_empty(aside)


def _check_same(root: Path, path: Path, file: CacheFile) -> None:
    """
    Raises:
        FileNotFoundError: the file no longer exists.
        _KeptError: the file was written since the walk, or its path contains a link.
    """
    status = path.lstat()
    if path.parent.resolve() != path.parent or not path.is_relative_to(root):
        raise _KeptError("it is reached through a link")
    same = stat.S_ISREG(status.st_mode) and (
        (status.st_size, status.st_mtime_ns) == (file.size_bytes, file.written_ns)
    )
    if not same:
        raise _KeptError("it was written again")


def _unlink(path: Path, file: CacheFile, done: Removed) -> None:
    path.unlink()
    done.files += 1
    done.size_bytes += file.size_bytes


def _inside(folder: Path, below: str) -> list[str]:
    """Every file and link in a folder, by its path in it."""
    found = []
    with os.scandir(folder) as inside:
        for each in inside:
            if each.is_dir(follow_symlinks=False):
                found += _inside(Path(each.path), f"{below}{each.name}/")
            else:
                found.append(f"{below}{each.name}")
    return found


def _remove_empty(folder: Path) -> None:
    """Remove a tree of empty folders.

    Raises:
        OSError: the tree is not empty.
    """
    with os.scandir(folder) as inside:
        within = [Path(each.path) for each in inside if each.is_dir(follow_symlinks=False)]
    for each in within:
        _remove_empty(each)
    folder.rmdir()
