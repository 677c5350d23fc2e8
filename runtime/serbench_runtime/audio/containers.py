"""Opens audio files, and compares the length in the header with the file's bytes.

A truncated file is refused. A file whose writer could not know the length (a pipe, a recorder that
lost power) is read to its end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import soundfile
from numpy.typing import NDArray

from serbench_runtime.audio.folders import why_unreadable
from serbench_runtime.audio.headers import DamagedError, check_header
from serbench_runtime.audio.mpeg import corrected_start
from serbench_runtime.errors import CorpusError
from serbench_runtime.file_kinds import no_audio
from serbench_runtime.waveform import RATES_HZ

ACCEPTED = frozenset(
    {"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3", "NIST"}
)
"""Formats whose length can be checked, by libsndfile's names for them."""


class ForwardFile(soundfile.SoundFile):
    """A file that is only read forwards, because a FLAC file of unknown length is not seekable."""

    def seekable(self) -> bool:
        """Return False."""
        return False

    def floats(self, size: int) -> NDArray[np.float32]:
        """Up to ``size`` further samples, ``(samples, channels)``; integers are within ±1."""
        samples = self.read(size, dtype="float32", always_2d=True)
        return cast("NDArray[np.float32]", samples)


@contextmanager
def opened(path: Path) -> Iterator[ForwardFile]:
    """An audio file whose header agrees with its bytes; ``frames`` does not limit MP3.

    Raises:
        CorpusError: the file is missing, empty, not audio, of a format that is not in ``ACCEPTED``,
            truncated, or of a rate outside ``RATES_HZ``. Errors that soundfile raises within the
            context become a ``CorpusError``, too.
    """
    try:
        with path.open("rb") as raw:
            mend = check_header(raw)
            with ForwardFile(_native(path) if mend is None else _mended(raw, *mend)) as file:
                _check_format(file)
                mended = _mended_mp3(raw, file) if file.format == "MP3" else None
                if mended is None:
                    yield file
                    return
            with ForwardFile(mended) as file:
                yield file
    except DamagedError as error:
        raise CorpusError(f"{path}: {error}") from error
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:
        raise CorpusError(f"{path}: {no_audio(path) or _unreadable(error)}") from error
    except OSError as error:
        raise CorpusError(f"{path}: {why_unreadable(path, error)}") from error


@dataclass
class Mended:
    """A file whose beginning is replaced; it has only the methods that soundfile needs."""

    file: BinaryIO
    start: bytes
    skip: int
    place: int = 0

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes."""
        found = self.start[self.place : self.place + size]
        if len(found) < size:
            self.file.seek(self.place + len(found) - len(self.start) + self.skip)
            found += self.file.read(size - len(found))
        self.place += len(found)
        return found

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.place}.get(whence)
        if base is None:
            base = self.file.seek(0, os.SEEK_END) - self.skip + len(self.start)
        self.place = base + offset
        return self.place

    def tell(self) -> int:
        """The position."""
        return self.place


def _native(path: Path) -> str:
    """The file's name in the system's encoding: soundfile itself encodes text names only."""
    # soundfile also takes bytes, but its types do not say so.
    return str(path) if os.name == "nt" else cast("str", os.fsencode(path))


def _unreadable(error: Exception) -> str:
    reason = getattr(error, "error_string", str(error)).strip().rstrip(".")
    what = "damaged or cut" if "lost sync" in reason else "not a readable audio file"
    return f"{what} ({reason})"


def _check_format(file: soundfile.SoundFile) -> None:
    if file.format == "RAW":  # libsndfile's guess from the extension
        raise RuntimeError("no header tells its format")
    if file.format not in ACCEPTED:
        raise DamagedError(
            f"{file.format_info}, whose length cannot be checked; convert it to WAV or FLAC"
        )
    low, high = RATES_HZ
    if not low <= file.samplerate <= high:
        raise DamagedError(
            f"its header claims a sample rate of {file.samplerate} Hz; rates from {low:,.0f} to "
            f"{high:,.0f} Hz are read. Correct the header"
        )


def _mended(raw: BinaryIO, place: int, content: bytes) -> BinaryIO:
    raw.seek(0)
    return cast("BinaryIO", Mended(raw, raw.read(place) + content, place + len(content)))


def _mended_mp3(raw: BinaryIO, file: soundfile.SoundFile) -> BinaryIO | None:
    start = corrected_start(raw, file.frames)
    if start is None:
        return None
    if start.cut:
        raise DamagedError(start.cut)
    return cast("BinaryIO", Mended(raw, start.content, start.skip))
