"""Checks names that become paths; finds the folder of serbench's cache."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath, PureWindowsPath

import platformdirs

from serbench.errors import SerbenchError, StoreError

CACHE_VARIABLE = "SERBENCH_CACHE"

MOST_BYTES = 255
"""Greatest length of a name in bytes, on current file systems."""

_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
"""Device names of Windows, with any extension."""

_UNUSABLE = re.compile(r'[\x00-\x1f\x7f<>:"|?*/\\]')


def cache_folder() -> Path:
    """``$SERBENCH_CACHE``, else the user's cache folder of this system."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("serbench"))


def name_fault(name: str) -> str:
    """Why a name cannot be used for a file or folder on every system; empty: it can."""
    found = _UNUSABLE.search(name)
    faults = {
        "it is empty": not name.strip(),
        "it leads out of its folder": name in {".", ".."},
        f"it contains {found[0]!r}" if found else "": found is not None,
        "it begins or ends with a space, or ends with a dot": name.strip().rstrip(".") != name,
        "it is the name of a device on Windows": _RESERVED.fullmatch(name) is not None,
        f"it is longer than {MOST_BYTES} bytes": len(name.encode(errors="replace")) > MOST_BYTES,
        "it cannot be written as UTF-8": any("\ud800" <= mark < "\udc80" for mark in name),
    }
    return next((fault for fault, there in faults.items() if there), "")


def is_file(path: Path) -> bool:
    """Whether ``path`` is a file; False if no file can have that name."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def inside(
    folder: Path, *names: str, what: str = "name", error: type[SerbenchError] = StoreError
) -> Path:
    """``folder / name``, for a name from a file, a plugin or an unknown source.

    Args:
        folder: the path stays below this folder.
        names: names of folders, and of a file at the end; none of them may be a path itself.
        what: meaning of the names, for the message.
        error: type of the error.

    Raises:
        SerbenchError: a name leads elsewhere, or cannot be a file's; or a link in ``folder`` leads
            out of it.
    """
    for name in names:
        if fault := name_fault(name):
            raise error(f"the {what} {name[:80]!r} cannot be used for a file: {fault}")
    return _held(folder, folder.joinpath(*names), what, error)


def below(
    folder: Path, path: str, *, what: str = "path", error: type[SerbenchError] = StoreError
) -> Path:
    """``folder / path``, for a relative path from a file or an unknown source.

    Args:
        folder: the path stays below this folder.
        path: a path that may contain folders, separated by ``/``.
        what: meaning of the path, for the message.
        error: type of the error.

    Raises:
        SerbenchError: as ``inside``.
    """
    absolute = PurePosixPath(path).is_absolute() or PureWindowsPath(path).anchor
    parts = [each for each in path.split("/") if each != "."]
    if absolute or not parts:
        raise error(f"the {what} {path[:80]!r} must be relative to {folder}")
    return inside(folder, *parts, what=what, error=error)


def _held(folder: Path, path: Path, what: str, error: type[SerbenchError]) -> Path:
    """``path``, unless a link on the way leads out of ``folder``."""
    reached = path if path.is_dir() else path.parent
    if not reached.resolve().is_relative_to(folder.resolve()):
        raise error(f"the {what} {path} leads out of {folder} through a link; remove that link")
    return path
