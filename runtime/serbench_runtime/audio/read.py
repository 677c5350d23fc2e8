"""Read audio files of any rate and channel count as 16 kHz mono float32."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from serbench_runtime.audio.containers import opened
from serbench_runtime.errors import CorpusError, visible
from serbench_runtime.waveform import SAMPLE_RATE_HZ, Tally, Waveform

log = logging.getLogger(__name__)

SHORTEST_S = 0.1
"""Shorter files have too little speech to be classified."""

BLOCK_S = 30.0

LARGEST_BLOCK = 2**22
"""Values in a block at most, over all channels: 16 MiB."""


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a file.

    Attributes:
        samples: ``(samples, channels)`` float32, as the file has them.
        mono: ``(samples,)``, their mean over channels.
        waveform: ``(samples,)`` at 16 kHz; a resampler lags behind ``mono``.
    """

    samples: NDArray[np.float32]
    mono: Waveform
    waveform: Waveform


@dataclass
class AudioReader:
    """A file, read once from start to end in blocks, so that an hour is never in memory at once.

    Attributes:
        path: the file.
        block_s: length of a block in seconds; for files with many channels, less.
        sample_rate_hz, channels: of the file; 0 before it is read.
        tally: statistics of everything that was read so far.
    """

    path: Path
    block_s: float = BLOCK_S
    sample_rate_hz: int = 0
    channels: int = 0
    tally: Tally = field(default_factory=Tally)

    @property
    def duration_s(self) -> float:
        """Duration read so far, in seconds."""
        return self.tally.samples / self.sample_rate_hz

    def __iter__(self) -> Iterator[Block]:
        """The blocks of the file.

        Raises:
            CorpusError: the file is missing, unreadable, empty, truncated, shorter than 0.1 s, has
                samples that are not finite or far beyond ±1, or has channels that cancel one
                another; the message names the file. A fault late in the file is raised after the
                blocks before it.
        """
        with opened(self.path) as file:
            self.sample_rate_hz, self.channels = file.samplerate, file.channels
            size = round(self.block_s * file.samplerate)
            size = max(1, min(size, LARGEST_BLOCK // file.channels))
            resample = _block_resampler(file.samplerate)
            samples = file.floats(size)
            while True:
                self._check_values(samples)
                mono = self.tally.add(samples)
                following = file.floats(size)
                last = not len(following)
                if last:
                    self._check_whole(file)
                yield Block(samples, mono, resample(mono, last))
                if last:
                    return
                samples = following

    def _check_values(self, samples: NDArray[np.float32]) -> None:
        bad = int(np.count_nonzero(~np.isfinite(samples)))
        if bad:
            place = f" after {self.duration_s:.0f} s" if self.tally.samples else ""
            raise CorpusError(
                f"{self.path}: {bad} of {samples.size} samples{place} are NaN or infinite"
            )
        if self.tally.beyond_scale:
            raise CorpusError(f"{self.path}: {self.tally.beyond_scale}")

    def _check_whole(self, file: soundfile.SoundFile) -> None:
        # For an MP3 file, or a FLAC file from a pipe, this number of frames is not exact.
        counted = file.format != "MP3" and file.frames < 2**62
        if counted and self.tally.samples < file.frames:
            raise CorpusError(
                f"{self.path}: truncated: {self.tally.samples} of {file.frames} samples are there"
            )
        if self.duration_s < SHORTEST_S:
            raise CorpusError(
                f"{self.path}: too short: {self.duration_s:.3f} s; at least {SHORTEST_S} s are "
                "needed"
            )
        if self.tally.problem:
            raise CorpusError(f"{self.path}: {self.tally.problem}")


@dataclass(frozen=True, slots=True)
class Audio:
    """Facts about a file, without its samples.

    Attributes:
        pcm_sha256: ``pcm_digest`` of its waveform.
    """

    duration_s: float
    sample_rate_hz: int
    channels: int
    pcm_sha256: str


def read_waveform(path: Path) -> Waveform:
    """Read ``path`` as ``(samples,)`` float32, mono, 16 kHz, full scale ±1.

    Channels are averaged; other rates are converted with soxr's high-quality recipe.

    Raises:
        CorpusError: as ``AudioReader``.
    """
    blocks = [block.waveform for block in AudioReader(path)]
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def read_blocks(path: Path, block_s: float = BLOCK_S) -> Iterator[Waveform]:
    """The waveform of ``read_waveform``, bit for bit, in blocks of about ``block_s`` seconds.

    A file without sound is read, too; a warning follows its last block.

    Raises:
        CorpusError: as ``AudioReader``.
    """
    reader = AudioReader(path, block_s)
    for block in reader:
        yield block.waveform
    if reader.tally.is_constant:
        log.warning(
            "%s: there is no sound in it (all its samples have one value): its label means nothing",
            visible(str(path)),
        )


def read_known(path: Path, pcm_sha256: str) -> Waveform:
    """As ``read_waveform``, for audio whose ``pcm_digest`` is known because data with it is cached.

    Raises:
        CorpusError: as ``read_waveform``, or the audio has changed.
    """
    waveform = read_waveform(path)
    if pcm_digest(waveform) != pcm_sha256:
        raise CorpusError(
            f"{path}: its audio has changed since the corpus was read; put the right file there "
            "(or, if the change is meant, use `touch` on it), run the command again, and do not "
            "change files while it runs"
        )
    return waveform


def read_audio(path: Path) -> Audio:
    """Read a file once, with constant memory.

    Raises:
        CorpusError: as ``AudioReader``.
    """
    reader, digest = AudioReader(path), PcmDigest()
    for block in reader:
        digest.update(block.waveform)
    return Audio(reader.duration_s, reader.sample_rate_hz, reader.channels, digest.hexdigest())


class PcmDigest:
    """``pcm_digest`` of a waveform that is read in blocks."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._begun = False
        self._zeros = 0

    def update(self, waveform: Waveform) -> None:
        """Add the next block, ``(samples,)``."""
        scaled = np.rint(np.clip(waveform.astype(np.float64) * 32768.0, -32768, 32767))
        pcm = scaled.astype("<i2")
        sounding = np.flatnonzero(pcm)
        if not sounding.size:
            self._zeros += len(pcm)
            return
        # Silence counts only if there is sound before and after it.
        if self._begun:
            self._hash_silence(self._zeros)
        first = 0 if self._begun else sounding[0]
        self._hash.update(pcm[first : sounding[-1] + 1].tobytes())
        self._begun, self._zeros = True, len(pcm) - int(sounding[-1]) - 1

    def hexdigest(self) -> str:
        """Digest of all blocks so far."""
        return self._hash.hexdigest()

    def _hash_silence(self, samples: int) -> None:
        while samples:
            part = min(samples, LARGEST_BLOCK)
            self._hash.update(bytes(2 * part))
            samples -= part


def pcm_digest(waveform: Waveform) -> str:
    """sha256 (hex) of a 16 kHz waveform rounded to 16-bit PCM, digital silence trimmed.

    Leading and trailing zeros are ignored, so that padded copies of one recording have one digest;
    all silent files share one.
    """
    digest = PcmDigest()
    digest.update(waveform)
    return digest.hexdigest()


def _block_resampler(rate_hz: int) -> Callable[[Waveform, bool], Waveform]:
    """A function of ``mono (samples,)`` and whether it is the last block."""
    if rate_hz == SAMPLE_RATE_HZ:
        return lambda mono, last: mono  # noqa: ARG005 - as the other
    return soxr.ResampleStream(
        rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ"
    ).resample_chunk
