"""Unpacks archives from unknown sources: nothing is ever written outside the folder."""

from __future__ import annotations

import lzma
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from serbench.api.corpus import Advance
from serbench.data.corpus.space import check_space
from serbench.errors import CorpusError

ENCRYPTED = 0x1
"""Flag of an encrypted member of a zip archive."""

DRIVE = re.compile("[A-Za-z]:")

DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    KeyError,  # a link to a member that does not exist
    RecursionError,  # a link to itself
)


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file of an archive.

    Attributes:
        target: the file's checked path within the folder.
        open: gives the file's content; None for a link to something that is not a file.
    """

    target: PurePosixPath
    size_bytes: int
    open: Callable[[], IO[bytes] | None]


def unpack(archive: Path, folder: Path, advance: Advance) -> None:
    """Unpack a zip or tar archive into ``folder``.

    Every member is checked before the first is written. Links are never created: one that stays
    inside a tar archive is written as a copy of its target. ``advance`` counts files.

    Raises:
        CorpusError: the file is not an archive, a member would leave the folder, a member is
            damaged or encrypted, or the disk is full.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as source:
                _write(archive, _zip_members(archive, source), folder, advance)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as source:
                _write(archive, _tar_members(archive, source, folder), folder, advance)
        else:
            raise CorpusError(f"{archive.name} is not a zip or tar archive{_hint(archive)}")
    except DAMAGE as error:
        raise CorpusError(f"{archive.name} is damaged: {error}") from error
    except (OSError, NotImplementedError) as error:
        raise CorpusError(f"{archive.name} cannot be unpacked into {folder}: {error}") from error


def _hint(archive: Path) -> str:
    with archive.open("rb") as file:
        start = file.read(256).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "; it is a web page"
    return f" (it begins with {start[:16]!r})"


def _zip_members(archive: Path, source: zipfile.ZipFile) -> list[Member]:
    members = []
    for entry in source.infolist():
        target = _inside(archive, entry.filename)
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise CorpusError(f"{archive.name} is not safe: {entry.filename!r} is a link")
        if entry.flag_bits & ENCRYPTED:
            raise CorpusError(f"{archive.name}: {entry.filename!r} is encrypted")
        if not entry.is_dir():
            members.append(Member(target, entry.file_size, partial(source.open, entry)))
    return members


def _tar_members(archive: Path, source: tarfile.TarFile, folder: Path) -> list[Member]:
    members = []
    for entry in source.getmembers():
        target = _inside(archive, entry.name)
        try:
            tarfile.data_filter(entry, str(folder.absolute()))
        except tarfile.SpecialFileError as error:
            raise CorpusError(
                f"{archive.name} is not safe: {entry.name!r} is a device or pipe"
            ) from error
        except tarfile.FilterError as error:
            raise _leaves(archive, f"{entry.name!r} (a link to {entry.linkname!r})") from error
        if not entry.isdir():
            # For a link, this reads the member that it names, within the archive only.
            members.append(Member(target, entry.size, partial(source.extractfile, entry)))
    return members


def _inside(archive: Path, name: str) -> PurePosixPath:
    """The member's path within the folder; raises if it might lead out of the folder.

    Python's own filter accepts ``a/../b`` and names of other systems; no corpus needs them.
    """
    plain = name.replace("\\", "/")
    parts = plain.split("/")
    if plain.startswith("/") or DRIVE.match(plain) or ".." in parts:
        raise _leaves(archive, repr(name))
    return PurePosixPath(*(part for part in parts if part not in {"", "."}))


def _leaves(archive: Path, shown: str) -> CorpusError:
    return CorpusError(f"{archive.name} is not safe: {shown} would leave its folder")


def _write(archive: Path, members: list[Member], folder: Path, advance: Advance) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    check_space(folder, sum(member.size_bytes for member in members), f"to unpack {archive.name}")
    for done, member in enumerate(members, start=1):
        target = folder / member.target
        target.parent.mkdir(parents=True, exist_ok=True)
        stream = member.open()
        if stream is None:
            raise CorpusError(
                f"{archive.name}: {member.target} links to a file that is not in the archive"
            )
        with stream, target.open("wb") as file:
            shutil.copyfileobj(stream, file)
        advance(done, len(members))
