"""Writes files such that a killed process leaves no incomplete ones."""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from serbench.errors import StoreError, visible
from serbench.files.digests import name_digest

STALE_S = 3600.0
"""A temporary file older than this belongs to a process that was killed."""


def check_writable(folder: Path, option: str) -> None:
    """Check before a long computation that ``folder`` can be written.

    Args:
        folder: a folder, which need not exist yet.
        option: option that names another folder, such as ``--output``.

    Raises:
        StoreError: a file is in the way, or the folder is not writable.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise StoreError(
            f"{there} is a file, so {folder} cannot be created; choose another {option}"
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise StoreError(
            f"{there} is not writable, so {folder} cannot be written; choose another {option}"
        )


def write_atomically(path: Path, *content: bytes | memoryview) -> None:
    """Write ``content`` to ``path``, completely or not at all; missing folders are created.

    Raises:
        StoreError: the file cannot be written (permission, full disk, a file in the way).
    """
    try:
        write_whole(path, *content)
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}; choose a writable folder on a "
            "disk with free space"
        ) from error


def write_text(path: Path, text: str) -> None:
    """As ``write_atomically``, in UTF-8; bytes of file names that are not UTF-8 are escaped."""
    write_atomically(path, visible(text).encode())


def write_whole(path: Path, *content: bytes | memoryview, once: bool = False) -> None:
    """As ``write_atomically``, for callers with their own error message.

    Args:
        path: the file.
        content: content of the file, in pieces.
        once: keep an existing file.

    Raises:
        OSError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.open("xb") as stream:
            stream.writelines(content)
            stream.flush()
            os.fsync(stream.fileno())
        if once:
            _publish(temporary, path)
        else:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def _publish(temporary: Path, path: Path) -> None:
    """Link the finished file to ``path``: unlike a rename, that never replaces another's file."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return
    except OSError:
        # The file system has no hard links; a rename is still complete or not done at all.
        temporary.replace(path)


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut, if the system can."""
    if os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep_temporaries(folder: Path) -> None:
    """Remove half-written files of killed processes below ``folder``."""
    now_s = time.time()
    for leftover in folder.rglob(".*.tmp"):
        try:
            if now_s - leftover.stat().st_mtime > STALE_S:
                leftover.unlink(missing_ok=True)
        except OSError:  # another process has removed it, or we may not
            continue


def json_bytes(content: Mapping[str, object], what: str) -> bytes:
    """``content`` as readable JSON.

    Raises:
        StoreError: JSON cannot express a value; the message says where in ``what`` it is.
    """
    try:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        place = _first_bad_value(content, "")
        raise StoreError(f"{what} cannot be stored: {place or error}") from error
    # File names may have bytes that are not UTF-8: JSON has escapes for them, such as \udcfc.
    return (text + "\n").encode("utf-8", "backslashreplace")


def _first_bad_value(value: object, place: str) -> str | None:
    """Position of the first value in a nested structure that JSON cannot express."""
    items: Sequence[tuple[str, object]] = ()
    if isinstance(value, Mapping):
        items = [(f"{place}.{key}".lstrip("."), item) for key, item in value.items()]
    elif isinstance(value, (list, tuple)):
        items = [(f"{place}[{index}]", item) for index, item in enumerate(value)]
    elif isinstance(value, float) and not math.isfinite(value):
        return f"{place} is {value}, not a finite number"
    elif value is not None and not isinstance(value, (str, int, float, bool)):
        return f"{place} is a {type(value).__name__}"
    return next(filter(None, (_first_bad_value(item, where) for where, item in items)), None)


def file_name(name: str) -> str:
    """``name`` as a file name on any system; two names never give the same file name."""
    safe = re.sub(r"[^A-Za-z0-9._=-]", "-", name).lstrip(".") or "-"
    if safe == name and len(safe) <= 120:
        return safe
    return f"{safe[:110]}-{name_digest(name, 8)}"
