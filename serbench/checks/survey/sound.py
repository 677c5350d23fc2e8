"""Measurements of each file's sound: all files are read once, even if some are broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serbench.api import Advance, UtteranceRecord
from serbench.checks.survey.voice import voice
from serbench.data.corpus.load import Unusable, read_each
from serbench_runtime.audio.read import AudioReader, pcm_digest
from serbench_runtime.waveform import SAMPLE_RATE_HZ, Waveform

FULL_SCALE = 0.999
"""Samples from this value on are at full scale; 16-bit files end at 0.99997."""

CLIPPED_RUN = 3
"""This many consecutive samples at full scale are a wave that was cut off. A file that was
normalised to its peak touches full scale once or twice.
"""

FRAME_S = 0.01
"""Length of frames whose level shows where the sound begins and ends."""

FLOOR_DB = -40.0
"""Frames this far below a file's loudest frame count as silence, whatever the file's level. Quiet
consonants are about 30 dB below loud vowels.
"""

ABOVE_NOISE_DB = 10.0
"""Frames less than this above the quietest frame also count as silence: they are the noise of a
recording, which a normalised file of a soft voice has at any level.
"""

SMALLEST = 1e-12
"""Power that represents digital silence if a level must be a number: −120 dBFS."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Measurements of one file as models receive it: the mean of its channels at 16 kHz.

    Attributes:
        duration_s, sample_rate_hz, channels: properties of the file.
        pcm_sha256: ``pcm_digest`` of the file as 16 kHz mono.
        rms_dbfs: level of the whole file without any constant offset, in dB below a full-scale
            square wave; ``-inf`` if all samples have one value.
        noise_dbfs: level of the quietest frame of ``FRAME_S``, −120 for digital silence.
        lead_s, trail_s: silence before the first and after the last sound, in seconds.
        clipped: share of samples in runs of ``CLIPPED_RUN`` or more at full scale, in the file's
            own channels and at its own rate.
        longest_run: number of samples of the longest run at full scale; 0 if there is none.
        voice: result of ``serbench.checks.survey.voice.voice``; None: too short.
    """

    duration_s: float
    sample_rate_hz: int
    channels: int
    pcm_sha256: str
    rms_dbfs: float
    noise_dbfs: float
    lead_s: float
    trail_s: float
    clipped: float
    longest_run: int
    voice: NDArray[np.float32] | None = field(default=None, compare=False)


def listen(
    records: Sequence[UtteranceRecord], advance: Advance
) -> tuple[dict[str, Sound], dict[str, Unusable]]:
    """Read every file.

    Args:
        records: records with absolute paths; ids are unique.
        advance: called for every file.

    Returns:
        Measurements, and problems of files that cannot be used, both by id in the order of
        ``records``.
    """
    return read_each({record.id: record.path for record in records}, read_sound, advance)


def read_sound(path: Path) -> Sound:
    """Measurements of one file.

    Raises:
        CorpusError: see ``serbench_runtime.audio.read.AudioReader``.
    """
    reader, runs, parts = AudioReader(path), ClippedRuns(), []
    for block in reader:
        runs.add(block.samples)
        parts.append(block.waveform)
    waveform = np.concatenate(parts)
    power = frame_power(waveform)
    lead_s, trail_s = margins_s(power)
    clipped, longest = runs.end()
    return Sound(
        reader.duration_s, reader.sample_rate_hz, reader.channels, pcm_digest(waveform),
        reader.tally.level_dbfs, 10 * float(np.log10(max(power.min(), SMALLEST))), lead_s, trail_s,
        clipped, longest, voice(waveform),
    )  # fmt: skip


def frame_power(waveform: Waveform) -> NDArray[np.float64]:
    """Mean power ``(frames,)`` of ``(samples,)`` at 16 kHz in frames of ``FRAME_S``, at least one.

    An incomplete frame at the end is dropped.
    """
    size = min(round(FRAME_S * SAMPLE_RATE_HZ), len(waveform))
    frames = len(waveform) // size
    framed = waveform[: frames * size].reshape(frames, -1)
    return np.mean(np.square(framed, dtype=np.float64), axis=1)


def margins_s(power: NDArray[np.float64]) -> tuple[float, float]:
    """Silence before and after the sound, in seconds, from ``(frames,)`` of ``frame_power``.

    In a file without a sound, all of it is silence before the sound.
    """
    loudest, quietest = power.max(), power.min()
    if loudest == 0:
        return len(power) * FRAME_S, 0.0
    floor = max(loudest * 10 ** (FLOOR_DB / 10), quietest * 10 ** (ABOVE_NOISE_DB / 10))
    # If sound is hardly louder than the quietest frame, it cannot be distinguished from noise.
    sounding = np.flatnonzero(power >= min(floor, loudest * 10 ** (-ABOVE_NOISE_DB / 10)))
    return int(sounding[0]) * FRAME_S, (len(power) - 1 - int(sounding[-1])) * FRAME_S


class ClippedRuns:
    """Runs of ``CLIPPED_RUN`` or more samples at full scale in a file that is read in blocks."""

    def __init__(self) -> None:
        self._clipped = self._values = self._longest = 0
        self._open = np.zeros(0, dtype=np.int64)
        """Samples at full scale at the end of each channel's last block."""

    def add(self, samples: NDArray[np.float32]) -> None:
        """Add the next block, ``(samples, channels)``."""
        if not self._open.size:
            self._open = np.zeros(samples.shape[1], dtype=np.int64)
        self._values += samples.size
        for channel, full in enumerate((np.abs(samples) >= FULL_SCALE).T):
            edges = np.diff(full.astype(np.int8), prepend=0, append=0)
            starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
            lengths = ends - starts
            if starts.size and starts[0] == 0:
                lengths[0] += self._open[channel]
            else:
                self._close(self._open[[channel]])
            goes_on = bool(ends.size) and ends[-1] == len(full)
            self._open[channel] = lengths[-1] if goes_on else 0
            self._close(lengths[:-1] if goes_on else lengths)

    def end(self) -> tuple[float, int]:
        """Share of all samples that are in such runs, and the longest run in samples."""
        self._close(self._open)
        return self._clipped / self._values, self._longest

    def _close(self, lengths: NDArray[np.int64]) -> None:
        runs = lengths[lengths >= CLIPPED_RUN]
        if runs.size:
            self._clipped += int(runs.sum())
            self._longest = max(self._longest, int(runs.max()))
