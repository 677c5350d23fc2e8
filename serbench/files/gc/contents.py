"""Finds the content of the cache; follows no links and changes no file's times."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from serbench.errors import StoreError
from serbench.files.gc.kinds import is_lock, place_of
from serbench.files.gc.look import look


@dataclass(frozen=True, slots=True)
class CacheFile:
    """A file at the time of the walk.

    Attributes:
        path: below the cache, with slashes.
        written_ns: when it was last written, in nanoseconds since 1970.
        used_s: when it was last read or written, in seconds since 1970, as far as the file system
            records it.
    """

    path: str
    size_bytes: int
    written_ns: int
    used_s: float


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """An entry, which is removed or kept as a whole.

    Attributes:
        kind: one of ``KINDS``.
        path: below the cache, with slashes: the file, the folder, or the common part of several
            files.
        is_folder: whether it is a folder with everything in it.
        files: the files that are known to belong to it.
        damage: description of its damage; empty if it has none.
    """

    kind: str
    path: str
    is_folder: bool
    files: tuple[CacheFile, ...]
    damage: str = ""

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def used_s(self) -> float:
        """Time when any of its files was last read or written."""
        return max(file.used_s for file in self.files)

    @property
    def written_s(self) -> float:
        """Time when any of its files was last written."""
        return max(file.written_ns for file in self.files) / 1e9

    @property
    def key(self) -> str:
        """The entry's address, if its name is one; else the beginning of its name."""
        return self.path.rpartition("/")[2].partition(".")[0]


@dataclass(frozen=True, slots=True)
class Contents:
    """A cache.

    Attributes:
        root: the cache, without links in its path.
        entries: by kind and path.
        foreign: files that serbench does not know.
        links: symbolic links, which are left alone.
    """

    root: Path
    entries: tuple[CacheEntry, ...]
    foreign: tuple[str, ...]
    links: tuple[str, ...]


def scan(cache: Path) -> Contents:
    """All entries of ``cache``; none if it does not exist.

    Raises:
        StoreError: ``cache`` is not a folder.
    """
    if not cache.exists():
        return Contents(cache, (), (), ())
    if not cache.is_dir():
        raise StoreError(f"the cache {cache} is not a folder; set SERBENCH_CACHE to one")
    root = cache.resolve()
    found: dict[tuple[str, str, bool], list[CacheFile]] = {}
    foreign: list[str] = []
    links: list[str] = []
    for each, path in _walk(root, ""):
        if each.is_symlink():
            links.append(path)
            continue
        place = place_of(path)
        if place is None:
            if not is_lock(path):
                foreign.append(path)
            continue
        if file := _seen(each, path):
            key = place.kind, str(place.path), place.is_folder
            found.setdefault(key, []).append(file)
    entries = (
        _entry(root, kind, path, is_folder, files)
        for (kind, path, is_folder), files in found.items()
    )
    ordered = sorted(entries, key=lambda entry: (entry.kind, entry.path))
    return Contents(root, tuple(ordered), tuple(sorted(foreign)), tuple(sorted(links)))


def _walk(folder: Path, below: str) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Every file and link, with its path below the cache. Links are never entered."""
    try:
        with os.scandir(folder) as inside:
            for each in sorted(inside, key=lambda entry: entry.name):
                if each.is_dir(follow_symlinks=False):
                    yield from _walk(Path(each.path), f"{below}{each.name}/")
                else:
                    yield each, f"{below}{each.name}"
    except FileNotFoundError:  # another process has removed or renamed it
        return


def _seen(each: os.DirEntry[str], path: str) -> CacheFile | None:
    try:
        status = each.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    used_s = max(status.st_atime, status.st_mtime)
    return CacheFile(path, status.st_size, status.st_mtime_ns, used_s)


def _entry(root: Path, kind: str, path: str, is_folder: bool, files: list[CacheFile]) -> CacheEntry:
    seen = look(kind, root, {file.path: file.size_bytes for file in files})
    return CacheEntry(seen.kind, path, is_folder, tuple(files), seen.damage)
