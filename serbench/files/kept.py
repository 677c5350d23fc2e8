"""What the cache keeps, with a checksum: damage is noticed, told, and made good again.

Every entry is read through ``read_kept``, whatever its kind. A file that ``write_kept`` has written
ends in a line with the SHA-256 of what comes before it. A folder that ``keep_folder`` has kept
holds the SHA-256 of each of its files. Nothing is parsed before its checksum was found right.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from serbench.errors import StoreError
from serbench.files.atomic import write_atomically

log = logging.getLogger(__name__)

T = TypeVar("T")

START, END = b"\nsha256 ", b"\n"
SEAL_BYTES = len(START) + 64 + len(END)
"""Length of the line with the checksum, and of the newline before it."""

BLOCK_BYTES = 1 << 20

SUMS = ".serbench-files.json"
"""In a kept folder: the SHA-256 of each other file, by its path in the folder."""


class DamageError(Exception):
    """An entry is not what was written. The message says what is wrong, without its path."""


def read_kept(path: Path, read: Callable[[Path], T], what: str = "cached file") -> T | None:
    """What ``read`` makes of an entry of the cache: the one way in which any is read.

    A damaged entry is told of. A damaged file is removed, too; a folder is left to whoever makes
    it anew, since others may be reading in it.

    Args:
        path: a file or a folder.
        read: raises ``DamageError`` where a checksum is not right.
        what: how the entry is called.

    Returns:
        None where there is no such entry, or a damaged one: it is to be made anew.
    """
    try:
        return read(path)
    except (FileNotFoundError, NotADirectoryError):
        if not path.exists():
            return None
        reason = "a file is missing"
    except DamageError as error:
        reason = str(error)
    except OSError as error:
        reason = error.strerror or str(error)
    log.warning("%s %s is damaged (%s) and is made anew", what, path, reason)
    if not path.is_dir():
        with suppress(OSError):  # what is written in its place says why it cannot be
            path.unlink()
    return None


def write_kept(path: Path, *content: bytes | memoryview) -> None:
    """Write pieces of ``content`` and their checksum to ``path``, whole or not at all.

    Raises:
        StoreError: the file cannot be written.
    """
    digest = hashlib.sha256()
    for piece in content:
        digest.update(piece)
    write_atomically(path, *content, _seal(digest.hexdigest()))


@contextmanager
def making(path: Path) -> Iterator[None]:
    """Meanwhile no other process makes this entry: each waits, and then finds it made.

    Raises:
        StoreError: nothing can be written there.
    """
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.warning("%s is being made by another process; waiting for it", path)
            lock.acquire()
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}; "
            "set SERBENCH_CACHE to a folder that you may write to"
        ) from error
    try:
        yield
    finally:
        lock.release()


def kept_bytes(path: Path) -> bytes:
    """What ``write_kept`` was given, in one piece.

    Raises:
        DamageError: the file is not what was written.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    whole, seal = content[:-SEAL_BYTES], content[-SEAL_BYTES:]
    if _seal(hashlib.sha256(whole).hexdigest()) != seal:
        raise _wrong_sum(content)
    return whole


def check_kept(path: Path) -> Path:
    """``path``, after its checksum was found right: for a file that is too long for the memory.

    Raises:
        DamageError, OSError: as ``kept_bytes``.
    """
    left = max(path.stat().st_size - SEAL_BYTES, 0)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while left and (block := file.read(min(BLOCK_BYTES, left))):
            digest.update(block)
            left -= len(block)
        seal = file.read()
    if _seal(digest.hexdigest()) != seal:
        raise _wrong_sum(seal)
    return path


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def keep_folder(new: Path, folder: Path) -> None:
    """Give the finished folder ``new`` the name ``folder``, with the checksum of every file in it.

    Where ``folder`` is there, damaged, its files are replaced one by one, so that a good one is
    never missing for those who read in it. To be called while it is being made, see ``making``.

    Args:
        new: beside ``folder``, on the same disk.
        folder: a kept folder.

    Raises:
        OSError: a file cannot be read or written.
        StoreError: the checksums cannot be written.
    """
    files = folder_files(new)
    sums = {path: file_digest(new / path) for path in files}
    write_kept(new / SUMS, json.dumps({"files": sums}, indent=1).encode())
    if not folder.is_dir():
        new.rename(folder)
        return
    (folder / SUMS).unlink(missing_ok=True)
    for path in [*files, SUMS]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (new / path).replace(folder / path)


def check_folder(folder: Path) -> Path:
    """``folder``, after all files that ``keep_folder`` knew were found as they were.

    Files that have come since are nobody's business.

    Raises:
        DamageError: a file is damaged or missing, or there are no checksums.
        OSError: a file cannot be read.
    """
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    try:
        noted: dict[str, str] = json.loads(kept_bytes(folder / SUMS))["files"]
    except FileNotFoundError:
        raise DamageError(f"it has no {SUMS}") from None
    for path, due in noted.items():
        try:
            found = file_digest(folder / path)
        except FileNotFoundError:
            raise DamageError(f"{path} is missing") from None
        if found != due:
            raise DamageError(f"{path} has another checksum")
    return folder


def folder_files(folder: Path) -> list[str]:
    """All files of a kept folder by their paths in it, but the one with the checksums."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if path != SUMS)


def is_seal(end: bytes) -> bool:
    """Whether a file with this end was written by ``write_kept`` and not cut since."""
    return end.startswith(START) and end.endswith(END) and len(end) == SEAL_BYTES


def _seal(digest: str) -> bytes:
    return START + digest.encode() + END


def _wrong_sum(end: bytes) -> DamageError:
    """What a file with this end has wrong."""
    if not end:
        return DamageError("it is empty")
    if not is_seal(end[-SEAL_BYTES:]):
        return DamageError("its end is missing")
    return DamageError("its checksum is not right")
