"""Exact number of frames of MPEG audio (ISO/IEC 11172-3, 13818-3), which libsndfile estimates.

Without a header that counts frames (Xing, Info), libsndfile guesses the length of an MP3 file from
its size and the bit rate of its first frame, and does not read beyond this length. So a file with a
varying bit rate is cut at any place.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import BinaryIO

_BIT_RATES = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates in kbit/s, from index 1 on, by version (2 includes 2.5) and layer."""

_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
"""Sample rates in Hz, by the bits of the version."""

_COUNTS = (b"Xing", b"Info")
_HAS_FRAMES = 1


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """Four bytes at the start of each frame.

    Attributes:
        raw: the bytes.
        version: 1 or 2.
        layer: 1, 2 or 3.
        size: size of the whole frame in bytes.
        samples: number of samples per channel.
        side: length of a layer III frame's side information in bytes.
    """

    raw: bytes
    version: int
    layer: int
    size: int
    samples: int
    side: int

    def follows(self, first: FrameHeader) -> bool:
        """Whether the frame can belong to the stream that ``first`` begins."""
        return (self.version, self.layer, self.raw[2] & 12) == (
            first.version, first.layer, first.raw[2] & 12,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class CorrectedStart:
    """A replacement for the beginning of an MP3 file whose length libsndfile would guess wrong.

    Attributes:
        content: a frame that counts the others.
        skip: number of bytes of the file that it replaces.
        cut: message if the file ends before its own count does; otherwise empty.
    """

    content: bytes
    skip: int
    cut: str = ""


def corrected_start(file: BinaryIO, guessed: int) -> CorrectedStart | None:
    """Count the frames of ``file``; None if it has ``guessed`` samples."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = _first_frame(data)
        first = None if start is None else frame_header(data, start)
        if start is None or first is None:
            return None
        counted = _declared_frames(data, start, first)
        begin = start if counted is None else start + first.size
        frames, size = _count(data, begin, first)
        if counted is not None and frames < counted - 1:
            cut = f"truncated: {frames} of {counted} frames are there"
            return CorrectedStart(b"", 0, cut)
        if counted is not None and frames <= counted + 1:
            return None
        if first.layer != 3 or guessed >= (frames - 1) * first.samples:
            return None
        return CorrectedStart(_counting_frame(first, frames, size), begin)


def frame_header(data: bytes | mmap.mmap, start: int) -> FrameHeader | None:
    """The header at ``start``; None without a header, or without the frame's length in it."""
    raw = bytes(data[start : start + 4])
    if len(raw) < 4 or raw[0] != 0xFF or raw[1] & 0xE0 != 0xE0:
        return None
    bits, layer, index, rate = raw[1] >> 3 & 3, 4 - (raw[1] >> 1 & 3), raw[2] >> 4, raw[2] >> 2 & 3
    if bits == 1 or layer == 4 or index in {0, 15} or rate == 3:
        return None
    version = 1 if bits == 3 else 2
    bit_rate, rate_hz = 1000 * _BIT_RATES[version, layer][index - 1], _RATES_HZ[bits][rate]
    samples = 384 if layer == 1 else 576 if (layer, version) == (3, 2) else 1152
    slot = 4 if layer == 1 else 1
    size = (samples // 8 // slot * bit_rate // rate_hz + (raw[2] >> 1 & 1)) * slot
    mono = raw[3] >> 6 == 3
    side = {(1, False): 32, (1, True): 17, (2, False): 17, (2, True): 9}[version, mono]
    return FrameHeader(raw, version, layer, size, samples, side)


def _first_frame(data: mmap.mmap) -> int | None:
    """Position of the first frame that is followed by another of its kind."""
    start = 0
    while data[start : start + 3] == b"ID3":
        a, b, c, d = data[start + 6 : start + 10]
        start += 10 + (a << 21 | b << 14 | c << 7 | d)
    return _next_frame(data, start, None)


def _next_frame(data: mmap.mmap, start: int, first: FrameHeader | None) -> int | None:
    while (start := data.find(b"\xff", start)) >= 0:
        header = frame_header(data, start)
        if header is not None and (first is None or header.follows(first)):
            following = frame_header(data, start + header.size)
            if following is not None and following.follows(header):
                return start
        start += 1
    return None


def _count(data: mmap.mmap, start: int, first: FrameHeader) -> tuple[int, int]:
    """Number of frames from ``start`` on, and their bytes; bytes between frames are skipped."""
    frames = size = 0
    while True:
        header = frame_header(data, start)
        if header is None or not header.follows(first):
            found = _next_frame(data, start, first)
            if found is None:
                return frames, size
            start = found
            continue
        frames += 1
        size += header.size
        start += header.size


def _declared_frames(data: mmap.mmap, start: int, first: FrameHeader) -> int | None:
    """Number of frames in a Xing header, which is in the first frame instead of audio."""
    place = start + 4 + first.side
    if first.layer != 3 or data[place : place + 4] not in _COUNTS:
        return None
    flags, frames = struct.unpack(">II", data[place + 4 : place + 12])
    return frames if flags & _HAS_FRAMES else None


def _counting_frame(first: FrameHeader, frames: int, size: int) -> bytes:
    """A frame like the first, with a Xing header and no audio."""
    for index in range(1, 15):
        raw = bytes([first.raw[0], first.raw[1] | 1, index << 4 | first.raw[2] & 12, first.raw[3]])
        header = frame_header(raw, 0)
        if header is not None and header.size >= 4 + first.side + 16:
            break
    else:
        raise AssertionError("a frame of 160 kbit/s holds 52 bytes")
    head = raw + bytes(first.side) + b"Xing" + struct.pack(">III", 3, frames, size + header.size)
    return head + bytes(header.size - len(head))
