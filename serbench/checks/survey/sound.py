"""What is heard in each file: read once, all of them, whatever is wrong with some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from serbench.api import Advance, UtteranceRecord
from serbench.data.audio import pcm_digest, read_audio
from serbench.data.corpus.load import read_each

FULL_SCALE = 0.999
"""From here on a sample is at full scale; 16-bit files end at 0.99997."""

CLIPPED_RUN = 3
"""So many samples at full scale one after the other are a wave that was cut off. A file that was
normalised to its peak touches full scale once or twice."""

FRAME_S = 0.01
"""Frames whose level tells where the sound begins and ends."""

FLOOR_DB = -40.0
"""What lies this far below a file's loudest frame counts as silence, whatever the file's level.
Quiet consonants lie some 30 dB below loud vowels."""

ABOVE_NOISE_DB = 10.0
"""So does what is less than this above the quietest frame: the noise of a recording, which a
normalised file of a soft voice has at any level."""

SMALLEST = 1e-12
"""Power that stands for digital silence where a level must be a number: −120 dBFS."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What one file holds, at its own rate.

    Attributes:
        duration_s, sample_rate_hz, channels: of the file.
        pcm_sha256: ``pcm_digest`` of the file as 16 kHz mono.
        rms_dbfs: level of the whole file over its channels, in dB below a full-scale square wave;
            ``-inf`` for digital silence.
        noise_dbfs: level of the quietest frame of ``FRAME_S``, −120 for digital silence.
        lead_s, trail_s: silence before the first and after the last sound, in seconds.
        clipped: share of samples in runs of ``CLIPPED_RUN`` or more at full scale.
        longest_run: samples of the longest such run, 0 where there is none.
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


def listen(
    records: Sequence[UtteranceRecord], advance: Advance
) -> tuple[dict[str, Sound], dict[str, str]]:
    """Read every file.

    Args:
        records: with absolute paths; ids are unique.
        advance: told of every file.

    Returns:
        What was heard, and what is wrong with the files that cannot be used, both by id in the
        order of ``records``.
    """
    return read_each({record.id: record.path for record in records}, read_sound, advance)


def read_sound(path: Path) -> Sound:
    """What a file holds.

    Raises:
        CorpusError: as ``serbench.data.audio.read_audio``.
    """
    audio = read_audio(path)
    with path.open("rb") as stream:
        read, rate_hz = soundfile.read(stream, dtype="float32", always_2d=True)
    samples = np.asarray(read, dtype=np.float32)  # (samples, channels)
    power = frame_power(samples, rate_hz)
    lead_s, trail_s = margins_s(power)
    clipped, longest = clipping(samples)
    return Sound(
        audio.duration_s, audio.sample_rate_hz, audio.channels, pcm_digest(audio.waveform),
        level_dbfs(samples), 10 * float(np.log10(max(power.min(), SMALLEST))), lead_s, trail_s,
        clipped, longest,
    )  # fmt: skip


def frame_power(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float64]:
    """``(frames,)`` mean power of ``(samples, channels)`` in frames of ``FRAME_S``, at least one.

    What is left over at the end is no frame.
    """
    size = min(max(1, round(FRAME_S * rate_hz)), len(samples))
    frames = len(samples) // size
    framed = samples[: frames * size].reshape(frames, -1)
    return np.mean(np.square(framed, dtype=np.float64), axis=1)


def level_dbfs(samples: NDArray[np.float32]) -> float:
    """RMS level of ``(samples, channels)`` in dB; ``-inf`` for digital silence."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return 10 * float(np.log10(power)) if power > 0 else -np.inf


def margins_s(power: NDArray[np.float64]) -> tuple[float, float]:
    """Silence before and after the sound, in seconds, of ``(frames,)`` as ``frame_power`` gives.

    A file without a sound is all lead.
    """
    loudest, quietest = power.max(), power.min()
    if loudest == 0:
        return len(power) * FRAME_S, 0.0
    floor = max(loudest * 10 ** (FLOOR_DB / 10), quietest * 10 ** (ABOVE_NOISE_DB / 10))
    # Where sound is hardly louder than the quietest frame, nothing can be told from noise.
    sounding = np.flatnonzero(power >= min(floor, loudest * 10 ** (-ABOVE_NOISE_DB / 10)))
    return int(sounding[0]) * FRAME_S, (len(power) - 1 - int(sounding[-1])) * FRAME_S


def clipping(samples: NDArray[np.float32]) -> tuple[float, int]:
    """Share of ``(samples, channels)`` in runs at full scale, and the longest run in samples."""
    total = longest = 0
    for channel in samples.T:
        full = np.zeros(len(channel) + 2, dtype=np.int8)
        full[1:-1] = np.abs(channel) >= FULL_SCALE
        change = np.diff(full)
        runs = np.flatnonzero(change == -1) - np.flatnonzero(change == 1)
        runs = runs[runs >= CLIPPED_RUN]
        if runs.size:
            total += int(runs.sum())
            longest = max(longest, int(runs.max()))
    return total / samples.size, longest
