"""Cache entries with checksums: damage is noticed, reported, and repaired.

Every entry is read through ``read_kept``, whatever its kind. A file of ``write_kept`` ends in a
line with the SHA-256 of the content before it. A folder of ``keep_folder`` contains the SHA-256 of
each of its files. Nothing is parsed before its checksum is verified.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from serbench.errors import StoreError
from serbench.files.atomic import sync_folder, write_atomically

log = logging.getLogger(__name__)

T = TypeVar("T")

START, END = b"\nsha256 ", b"\n"
SEAL_BYTES = len(START) + 64 + len(END)
"""Length of the line with the checksum, including the newline before it."""

BLOCK_BYTES = 1 << 20

SUMS = ".serbench-files.json"
"""File in a kept folder with the SHA-256 of each other file, by its path in the folder."""


class DamageError(Exception):
    """An entry has changed since it was written. The message says how, without its path."""


def read_kept(path: Path, read: Callable[[Path], T], what: str = "cached file") -> T | None:
    """Result of ``read`` for an entry of the cache: the only way to read one.

    A damaged entry is reported. A damaged file is also removed; a folder stays until it is made
    again, because others may be reading it.

    Args:
        path: a file or a folder.
        read: raises ``DamageError`` if a checksum is wrong.
        what: name of the entry in messages.

    Returns:
        None if no such entry exists or it is damaged: it must be made again.
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
    log.warning("%s %s is damaged (%s) and is made again", what, path, reason)
    if not path.is_dir():
        with suppress(OSError):  # writing the new file will report the reason
            path.unlink()
    return None


def write_kept(path: Path, *content: bytes | memoryview) -> None:
    """Write pieces of ``content`` and their checksum to ``path``, completely or not at all.

    Raises:
        StoreError: the file cannot be written.
    """
    digest = hashlib.sha256()
    for piece in content:
        digest.update(piece)
    write_atomically(path, *content, _seal(digest.hexdigest()))


@contextmanager
def making(path: Path) -> Iterator[None]:
    """Keep other processes from making this entry: they wait, and then find it.

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
            f"cannot write {path}: {error.strerror or error}; set SERBENCH_CACHE to a writable "
            "folder"
        ) from error
    try:
        yield
    finally:
        lock.release()


def kept_bytes(path: Path) -> bytes:
    """Content that ``write_kept`` wrote, in one piece.

    Raises:
        DamageError: the file has changed since it was written.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    whole, seal = content[:-SEAL_BYTES], content[-SEAL_BYTES:]
    if _seal(hashlib.sha256(whole).hexdigest()) != seal:
        raise _wrong_sum(content)
    return whole


def check_kept(path: Path) -> Path:
    """``path``, after its checksum was verified: for a file that is too long for memory.

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


def keep_file(new: Path, path: Path) -> None:
    """Rename the finished file ``new``, too long for memory, to ``path`` as ``write_kept`` would
    have written it: the checksum follows.

    Raises:
        OSError: a file cannot be read or written.
    """
    seal = _seal(file_digest(new))
    with new.open("ab") as file:
        file.write(seal)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def keep_folder(new: Path, folder: Path) -> None:
    """Rename the finished folder ``new`` to ``folder``, with the checksum of every file in it.

    If ``folder`` exists and is damaged, its files are replaced one by one, so that readers never
    miss a good one. Call it while the entry is being made, see ``making``.

    Args:
        new: next to ``folder``, on the same disk.
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
    """``folder``, after all files that ``keep_folder`` knew were verified.

    Files added since then are ignored.

    Raises:
        DamageError: a file is damaged or missing, or the checksums are missing.
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
    """All files of a kept folder by their paths in it, except the file of checksums."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if path != SUMS)


def is_seal(end: bytes) -> bool:
    """Whether a file with this end was written by ``write_kept`` and is complete."""
    return end.startswith(START) and end.endswith(END) and len(end) == SEAL_BYTES


def _seal(digest: str) -> bytes:
    return START + digest.encode() + END


def _wrong_sum(end: bytes) -> DamageError:
    """The damage of a file that has this end."""
    if not end:
        return DamageError("it is empty")
    if not is_seal(end[-SEAL_BYTES:]):
        return DamageError("its end is missing")
    return DamageError("its checksum is wrong")
