"""Headers of audio files, compared with the files' bytes.

libsndfile silently shortens a file that has fewer bytes than its header declares.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from serbench_runtime.audio.ogg import SEVERAL, check_pages

NEAR = 65_536
"""Writers that cannot know the length write 2 or 4 GiB, less than this many bytes for headers."""


class DamagedError(Exception):
    """A file is damaged; the message says how in a few words."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk of a RIFF-like file: position and declared length of its content, in bytes."""

    name: bytes
    start: int
    size: int


Mend = tuple[int, bytes] | None
"""A position in the header, and the bytes that should be there; None: no change."""


def check_header(file: BinaryIO) -> Mend:
    """Compare the declared length of a file with its bytes.

    Args:
        file: a file, at its start.

    Returns:
        Changes of the header that make libsndfile read the file to its end; None: no change.

    Raises:
        DamagedError: the file is empty, or shorter than declared.
    """
    size = os.fstat(file.fileno()).st_size
    if not size:
        raise DamagedError("the file is empty (0 bytes)")
    check = _CHECKS.get(file.read(4))
    if check is None:
        return None
    try:
        return check(file, size)
    except struct.error:  # a header that was cut; libsndfile will say so
        return None


def _chunks(file: BinaryIO, start: int, order: str, size: int) -> Iterator[Chunk]:
    """Chunks of name, 32-bit length and content, padded to even lengths."""
    while start + 8 <= size:
        file.seek(start)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        yield Chunk(name, start + 8, length)
        start += 8 + length + length % 2


def _check_length(declared: int, left: int, unit: str = "bytes of audio") -> None:
    if declared > left and not _is_unknown(declared):
        raise DamagedError(f"truncated: {left} of {declared} {unit} are there")


def _is_unknown(size: int) -> bool:
    """Whether writers use this length if they do not know it: 2 or 4 GiB, 8 or 16 EiB."""
    return abs(size - 2**31) <= NEAR or any(0 < 2**n - size <= NEAR for n in (32, 63, 64))


def _are_chunks(file: BinaryIO, start: int, order: str, size: int) -> bool:
    """Whether the rest of the file consists of chunks."""
    end = start
    for chunk in _chunks(file, start, order, size):
        if not (chunk.name.isascii() and chunk.name.decode().isprintable()):
            return False
        end = chunk.start + chunk.size
    return size - end in {0, 1, -1}


def _check_riff(file: BinaryIO, size: int, order: str = "<") -> Mend:
    """WAV, and RF64, which has long lengths in a separate chunk."""
    long: Chunk | None = None
    for chunk in _chunks(file, 12, order, size):
        if chunk.name == b"ds64":
            long = chunk
        if chunk.name != b"data":
            continue
        left = size - chunk.start
        if long is not None and chunk.size == 2**32 - 1:
            return _check_ds64(file, long, left)
        _check_length(chunk.size, left)
        if left and not chunk.size and not _are_chunks(file, chunk.start, order, size):
            return chunk.start - 4, b"\xff" * 4
        rest = _chunks(file, chunk.start + chunk.size + chunk.size % 2, order, size)
        if any(later.name == b"RIFF" for later in rest):
            raise DamagedError(SEVERAL)
        return None
    return None


def _check_ds64(file: BinaryIO, chunk: Chunk, left: int) -> Mend:
    file.seek(chunk.start + 8)
    (declared,) = struct.unpack("<Q", file.read(8))
    if declared and not _is_unknown(declared):
        _check_length(declared, left)
        return None
    return chunk.start + 8, struct.pack("<Q", left)


def _check_aiff(file: BinaryIO, size: int) -> Mend:
    """AIFF, whose common chunk repeats the length in samples."""
    mend: Mend = None
    common, sound = b"", None
    for chunk in _chunks(file, 12, ">", size):
        if chunk.name == b"COMM":
            file.seek(chunk.start)
            common = file.read(min(chunk.size, 22))
        elif chunk.name == b"SSND":
            sound, left = chunk, size - chunk.start
            _check_length(chunk.size, left)
            empty = chunk.size <= 8 < left
            if empty and not _are_chunks(file, chunk.start + chunk.size, ">", size):
                mend = chunk.start - 4, b"\xff" * 4
    if mend is None and sound is not None and len(common) >= 18:
        channels, samples, bits = struct.unpack(">HIH", common[:8])
        plain = common[18:22].lower() in {b"", b"none", b"twos", b"sowt", b"fl32", b"fl64"}
        if plain and samples and not _is_unknown(samples) and not _is_unknown(sound.size):
            there = (min(sound.size, size - sound.start) - 8) // max(1, channels * -(-bits // 8))
            _check_length(samples, there, "samples")
    return mend


def _check_au(file: BinaryIO, size: int, order: str = ">") -> Mend:
    file.seek(4)
    start, declared = struct.unpack(f"{order}II", file.read(8))
    _check_length(declared, size - start)
    unknown = size > start and (not declared or _is_unknown(declared))
    return (8, b"\xff" * 4) if unknown else None


def _check_caf(file: BinaryIO, size: int) -> Mend:
    """Core Audio, with 64-bit lengths; -1 is unknown, and the audio then comes last."""
    start = 8
    while start + 12 <= size:
        file.seek(start)
        name, declared = struct.unpack(">4sq", file.read(12))
        left = size - start - 12
        if name == b"data":
            if declared <= 0 < left or _is_unknown(declared):
                return start + 4, struct.pack(">q", left)
            _check_length(declared, left)
            return None
        start += 12 + max(0, declared)
    return None


def _check_w64(file: BinaryIO, size: int) -> Mend:
    """Sony's Wave64: names of 16 bytes, 64-bit lengths that include themselves and the name."""
    start = 40
    while start + 24 <= size:
        file.seek(start)
        name, declared = struct.unpack("<4s12xQ", file.read(24))
        if name == b"data":
            if declared > 24:  # libsndfile reads all others to their end
                _check_length(declared - 24, size - start - 24)
            return None
        start += max(24, declared + -declared % 8)
    return None


def _check_nist(file: BinaryIO, size: int) -> Mend:
    """NIST SPHERE: lines of text, such as ``sample_count -i 16000``, in a header of stated size."""
    file.seek(0)
    head = file.read(1024).split(b"\n")
    told = {words[0]: words[2] for line in head if len(words := line.split()) == 3}
    try:
        start = int(head[1])
        names = (b"sample_count", b"channel_count", b"sample_n_bytes")
        samples, channels, width = (int(told.get(name, b"1")) for name in names)
    except (ValueError, IndexError):  # libsndfile will say that it is damaged
        return None
    _check_length(samples * channels * width, size - start)
    return None


def _check_ogg(file: BinaryIO, size: int) -> Mend:
    if problem := check_pages(file, size):
        raise DamagedError(problem)
    return None


_CHECKS: dict[bytes, Callable[[BinaryIO, int], Mend]] = {
    b"RIFF": _check_riff,
    b"RIFX": lambda file, size: _check_riff(file, size, ">"),
    b"RF64": _check_riff,
    b"riff": _check_w64,
    b"FORM": _check_aiff,
    b".snd": _check_au,
    b"dns.": lambda file, size: _check_au(file, size, "<"),
    b"caff": _check_caf,
    b"NIST": _check_nist,
    b"OggS": _check_ogg,
}
"""Checks by a file's first bytes; FLAC and MP3 are checked when they are decoded."""
