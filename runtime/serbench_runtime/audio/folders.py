"""Audio in a folder: one rule for every search."""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from serbench_runtime.errors import numbered, visible

AUDIO_ENDINGS = frozenset(
    {".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64",
     ".snd", ".sph", ".w64", ".wav"}
)  # fmt: skip
"""Extensions of files in a folder that count as audio, in lower or upper case: those that
libsndfile reads."""

FOREIGN_ENDINGS = frozenset(
    {".3gp", ".aac", ".amr", ".ape", ".m4a", ".m4b", ".mka", ".webm", ".wma", ".wv"}
)
"""Extensions of audio that libsndfile cannot read."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A part of a folder that was not read.

    Attributes:
        name: path below the folder, with ``/``.
        reason: for instance ``a link to what is not there``.
        lost: audio of the folder may be missing. Otherwise it was found elsewhere, or cannot be
            read by serbench at all.
    """

    name: str
    reason: str
    lost: bool = True

    def __str__(self) -> str:
        return f"{visible(self.name)} ({self.reason})"


@dataclass(frozen=True, slots=True)
class AudioFolder:
    """The audio in a folder and below.

    Attributes:
        folder: as it was given.
        names: paths of audio files below ``folder``, with ``/``, sorted.
        left_out: parts that were not read, sorted by name.
    """

    folder: Path
    names: tuple[str, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, each with ``folder`` as it was given, in the order of ``names``."""
        return tuple(self.folder / name for name in self.names)

    @property
    def none(self) -> str:
        """Why there is no audio, for messages."""
        kinds = ", ".join(sorted(AUDIO_ENDINGS))
        why = "; ".join(map(str, self.left_out))
        return f"no audio in this folder or below ({kinds}){f'; left out: {why}' if why else ''}"


def audio_below(folder: Path, endings: Iterable[str] = AUDIO_ENDINGS) -> AudioFolder:
    """Search for audio in ``folder`` and all folders below it.

    Links are followed. A folder that can be reached in two ways is read once, under its own name if
    it has one below ``folder``. Hidden files and folders (``.name``, including AppleDouble's
    ``._name``) and ``__MACOSX`` are ignored.

    Args:
        folder: the folder to search; may itself be a link, or hidden.
        endings: extensions of audio files, in lower case, each with its dot.

    Raises:
        OSError: ``folder`` cannot be listed.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as place:
        ...     (Path(place) / "gone").symlink_to("nowhere")
        ...     _ = (Path(place) / "A.WAV").write_bytes(b"")
        ...     found = audio_below(Path(place))
        >>> found.names, [str(each) for each in found.left_out]
        (('A.WAV',), ['gone (a link to what is not there)'])
    """
    walk = _Walk(folder, frozenset(endings))
    walk.run()
    foreign = [
        LeftOut(
            f"*{ending}",
            f"{numbered(count, 'file')} of a kind that cannot be read; "
            "convert them to WAV or FLAC to have them read",
            lost=False,
        )
        for ending, count in walk.foreign.items()
    ]
    left_out = sorted((*walk.left_out, *foreign), key=lambda each: each.name)
    return AudioFolder(folder, tuple(sorted(walk.names)), tuple(left_out))


def plain_name(name: str) -> str:
    r"""A file's name in the form that corpora's name grammars read, the same on every system.

    The extension is in lower case, letters with marks are composed (Unicode NFC), and bytes that
    are not UTF-8 are escaped.

    Examples:
        >>> plain_name("Mu\u0308ller/A.WAV") == "M\u00fcller/A.wav"
        True
        >>> print(plain_name("M\udcfcller/a.wav"))
        M\xfcller/a.wav
    """
    stem, ending = os.path.splitext(name)  # noqa: PTH122 - of a text with /
    return unicodedata.normalize("NFC", visible(stem + ending.lower()))


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name was left by a system, a browser or an archiver."""
    return name.startswith(".") or name == "__MACOSX"


Identity = tuple[int, int]
"""Identity of a folder, however it is reached: device and inode."""


@dataclass
class _Walk:
    """Folders are read first and links to folders afterwards, so that names without links win."""

    folder: Path
    endings: frozenset[str]
    names: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    foreign: Counter[str] = field(default_factory=Counter)
    _seen: dict[Identity, str] = field(default_factory=dict)
    _folders: list[str] = field(default_factory=list)
    _links: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Read all folders.

        Raises:
            OSError: the first folder cannot be listed.
        """
        place = self.folder.resolve()
        self._seen = {_identity(each): str(each) for each in (*place.parents, place)}
        self._list("")
        while self._folders or self._links:
            if not self._folders:
                self._links.sort(reverse=True)
            name = (self._folders or self._links).pop()
            try:
                self._enter(name)
            except OSError as error:
                self._leave_out(f"{name}/", why_unreadable(self.folder / name, error))

    def _enter(self, name: str) -> None:
        """List a folder unless it was listed before."""
        identity = _identity(self.folder / name)
        if identity in self._seen:
            reason = f"leads to {self._seen[identity]}, where audio is looked for already"
            self.left_out.append(LeftOut(f"{name}/", reason, lost=False))
        else:
            self._seen[identity] = f"{name}/"
            self._list(f"{name}/")

    def _list(self, place: str) -> None:
        with os.scandir(self.folder / place) as entries:
            for entry in entries:
                if not is_hidden(entry.name):
                    self._take(entry, place + entry.name)

    def _take(self, entry: os.DirEntry[str], name: str) -> None:
        """Record a file, or a folder to be listed."""
        ending = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 - quicker than a Path
        try:
            mode = _mode(entry)
        except OSError as error:
            if ending in self.endings or not ending:
                self._leave_out(name, why_unreadable(self.folder / name, error))
            return
        if stat.S_ISDIR(mode):
            (self._links if _is_link(entry) else self._folders).append(name)
        elif ending in FOREIGN_ENDINGS:
            self.foreign[ending] += 1
        elif ending in self.endings and stat.S_ISREG(mode):
            self.names.append(name)
        elif ending in self.endings:
            self._leave_out(name, "a device or pipe, not a file")

    def _leave_out(self, name: str, reason: str) -> None:
        self.left_out.append(LeftOut(name, reason))


def _mode(entry: os.DirEntry[str]) -> int:
    """Kind of the file, or of a link's target; the system is only asked if necessary."""
    if not entry.is_symlink():
        if entry.is_dir():
            return stat.S_IFDIR
        if entry.is_file():
            return stat.S_IFREG
    return entry.stat().st_mode


def why_unreadable(path: Path, error: OSError) -> str:
    """Why a file or folder cannot be read, if more is known than the system's reason."""
    if error.errno == errno.ENOENT and _is_spelled_otherwise(path):
        return (
            "there is no such file, but one whose name differs only in capital letters or in its "
            "Unicode form; rename it, or correct what names it"
        )
    if not path.is_symlink() or error.errno not in {errno.ENOENT, errno.ELOOP}:
        return f"cannot be read: {error.strerror}"
    if error.errno == errno.ELOOP:
        return "a link that leads back to itself"
    if "annex/objects" in path.readlink().as_posix():
        return "a file that git-annex has not fetched; run git annex get"
    return "a link to what is not there"


def _is_spelled_otherwise(path: Path) -> bool:
    """Whether the first missing part of ``path`` exists under another spelling."""
    missing = path.absolute()
    while not os.path.lexists(missing.parent):
        missing = missing.parent
    if os.path.lexists(missing):
        return False
    try:
        return _folded(missing.name) in _names_in(missing.parent, missing.parent.stat().st_mtime_ns)
    except OSError:
        return False


@lru_cache(maxsize=64)
def _names_in(folder: Path, _mtime_ns: int) -> frozenset[str]:
    return frozenset(_folded(name) for name in os.listdir(folder))  # noqa: PTH208 - names only


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _is_link(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() or getattr(entry, "is_junction", bool)()  # junctions: Python 3.12


def _identity(folder: Path) -> Identity:
    status = folder.stat()
    return status.st_dev, status.st_ino
