"""Reading audio files: any rate and channel count in, 16 kHz mono float32 out."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from serbench.api.folders import why_unreadable
from serbench.errors import CorpusError
from serbench.waveform import SAMPLE_RATE_HZ, Waveform

SHORTEST_S = 0.1
"""A shorter file holds no speech that anything here could score."""

UNKNOWN_SIZE = 0xFFFFFFFF
"""A RIFF chunk size of a file that was streamed, or is an RF64."""


@dataclass(frozen=True, slots=True)
class Audio:
    """A decoded file: ``waveform (samples,)`` at 16 kHz, and what the file itself was."""

    waveform: Waveform
    duration_s: float
    sample_rate_hz: int
    channels: int


def read_waveform(path: Path) -> Waveform:
    """Read ``path`` as ``(samples,)`` float32, mono, 16 kHz, full scale ±1.

    Channels are averaged; other rates are converted with soxr's high-quality recipe.

    Raises:
        CorpusError: missing, unreadable, empty, truncated, shorter than 0.1 s, or with samples
            that are not finite; the message names the file.
    """
    return read_audio(path).waveform


def read_known(path: Path, pcm_sha256: str) -> Waveform:
    """As ``read_waveform``, of audio whose ``pcm_digest`` is known: what is kept by that digest.

    Raises:
        CorpusError: as ``read_waveform``, or it is other audio now.
    """
    waveform = read_waveform(path)
    if pcm_digest(waveform) != pcm_sha256:
        raise CorpusError(
            f"{path}: its audio is another than when the corpus was read; put a good copy there "
            "(or, if it is meant to be as it is, touch it), run the command again, and leave the "
            "files alone while it runs"
        )
    return waveform


def read_audio(path: Path) -> Audio:
    """Like ``read_waveform``, together with the file's own duration, rate and channels."""
    _check_size(path)
    try:
        with soundfile.SoundFile(_native(path)) as file:
            declared, rate_hz = file.frames, file.samplerate
            samples = file.read(dtype="float32", always_2d=True)  # (samples, channels)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    _check_whole(path, len(samples), declared, rate_hz)
    _check_finite(path, samples)
    mono = samples.mean(axis=1, dtype=np.float32)
    duration_s = len(samples) / rate_hz
    return Audio(_to_16_khz(mono, rate_hz), duration_s, rate_hz, samples.shape[1])


def read_blocks(path: Path, block_s: float) -> Iterator[Waveform]:
    """What ``read_waveform`` gives, bit for bit, in blocks of about ``block_s`` seconds.

    An hour of audio is so never in memory as a whole.

    Raises:
        CorpusError: as ``read_waveform``; where the fault lies late in the file, after the blocks
            before it.
    """
    _check_size(path)
    try:
        with soundfile.SoundFile(_native(path)) as file:
            size = max(1, round(block_s * file.samplerate))
            resample = _block_resampler(file.samplerate)
            done, declared = 0, file.frames
            samples = file.read(size, dtype="float32", always_2d=True)
            while True:
                _check_finite(path, samples, done / file.samplerate)
                done += len(samples)
                following = file.read(size, dtype="float32", always_2d=True)
                last = not len(following)
                if last:
                    _check_whole(path, done, declared, file.samplerate)
                yield resample(samples.mean(axis=1, dtype=np.float32), last)
                if last:
                    return
                samples = following
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def pcm_digest(waveform: Waveform) -> str:
    """sha256 (hex) of a 16 kHz waveform rounded to 16-bit PCM, digital silence trimmed.

    Leading and trailing zeros are no part of it, so that padded copies of one recording have
    one digest; all silent files share one.
    """
    scaled = np.rint(np.clip(waveform.astype(np.float64) * 32768.0, -32768, 32767))
    pcm = scaled.astype("<i2")
    sounding = np.flatnonzero(pcm)
    trimmed = pcm[sounding[0] : sounding[-1] + 1] if sounding.size else pcm[:0]
    return hashlib.sha256(trimmed.tobytes()).hexdigest()


def _to_16_khz(mono: Waveform, rate_hz: int) -> Waveform:
    if rate_hz == SAMPLE_RATE_HZ:
        return mono
    return soxr.resample(mono, rate_hz, SAMPLE_RATE_HZ, quality="HQ").astype(np.float32, copy=False)


def _block_resampler(rate_hz: int) -> Callable[[Waveform, bool], Waveform]:
    """A function of ``mono (samples,)`` and whether it is the last block."""
    if rate_hz == SAMPLE_RATE_HZ:
        return lambda mono, last: mono  # noqa: ARG005 - as the other
    return soxr.ResampleStream(
        rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ"
    ).resample_chunk


def _check_whole(path: Path, samples: int, declared: int, rate_hz: int) -> None:
    if samples < declared:
        raise CorpusError(f"{path}: truncated: {samples} of {declared} samples are there")
    duration_s = samples / rate_hz
    if duration_s < SHORTEST_S:
        raise CorpusError(
            f"{path}: too short: {duration_s:.3f} s; at least {SHORTEST_S} s are needed"
        )


def _check_finite(path: Path, samples: NDArray[np.generic], start_s: float = 0.0) -> None:
    bad = int(np.count_nonzero(~np.isfinite(samples)))
    if bad:
        place = f" after {start_s:.0f} s" if start_s else ""
        raise CorpusError(f"{path}: {bad} of {samples.size} samples{place} are NaN or infinite")


_UNREADABLE = (soundfile.LibsndfileError, RuntimeError, TypeError, OSError)
"""What soundfile raises for a file that it cannot read."""


def _unreadable(path: Path, error: Exception) -> CorpusError:
    reason = getattr(error, "error_string", str(error)).strip().rstrip(".")
    return CorpusError(f"{path}: not a readable audio file ({reason})")


def _native(path: Path) -> str:
    """The file's name as the system has it: soundfile itself encodes names that are text only."""
    # It takes bytes, too, but its types do not say so.
    return str(path) if os.name == "nt" else cast("str", os.fsencode(path))


def _check_size(path: Path) -> None:
    """Refuse what libsndfile would misreport or, for a cut RIFF file, silently shorten."""
    try:
        size = path.stat().st_size
        if size == 0:
            raise CorpusError(f"{path}: the file is empty (0 bytes)")
        with path.open("rb") as file:
            if file.read(4) != b"RIFF":
                return
            file.seek(12)
            while len(header := file.read(8)) == 8:
                name, length = struct.unpack("<4sI", header)
                if name == b"data":
                    left = size - file.tell()
                    if length > left and length != UNKNOWN_SIZE:
                        raise CorpusError(
                            f"{path}: truncated: {left} of {length} bytes of audio are there"
                        )
                    return
                file.seek(length + length % 2, 1)  # RIFF chunks are padded to even lengths
    except OSError as error:
        raise CorpusError(f"{path}: {why_unreadable(path, error)}") from error
