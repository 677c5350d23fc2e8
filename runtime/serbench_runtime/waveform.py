"""serbench's waveforms, mono float32 at one rate, and the rules for samples that become one.

The rules are the same for files and for users' arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
"""Every waveform inside serbench is mono float32 at this rate."""

Waveform = NDArray[np.float32]
"""``(samples,)``, values from -1 to 1."""

RATES_HZ = (1_000.0, 1_000_000.0)
"""Range of sample rates; others are probably a mistake, such as 16 for 16 kHz."""

LOUDEST = 10.0
"""Floats beyond 20 dB over full scale are not audio within ±1: they are integers."""

CANCELLED_DB = 20.0
"""Channels cancel one another if their mean is this much weaker than that of unrelated channels:
99 % of the power is lost."""

_GLANCE = 1024
"""Number of samples that nearly always show that not all are whole numbers."""


@dataclass
class Tally:
    """Statistics of a recording that is read in blocks.

    Attributes:
        samples: number of samples per channel.
        peak: greatest absolute value.
        lowest, highest: extremes of the mean over channels.
    """

    samples: int = 0
    peak: float = 0.0
    lowest: float = np.inf
    highest: float = -np.inf
    _whole: bool = True
    _sum: float = 0.0
    _power: float = 0.0
    _powers: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))

    def add(self, samples: NDArray[np.float32]) -> Waveform:
        """Add ``(samples, channels)``, all finite; returns their mean over channels,
        ``(samples,)``, which models receive.
        """
        mono = samples.mean(axis=1, dtype=np.float32)
        if not samples.size:
            return mono
        self.samples += len(samples)
        self.peak = max(self.peak, float(samples.max()), -float(samples.min()))
        self._whole = self._whole and is_whole(samples)
        self.lowest = min(self.lowest, float(mono.min()))
        self.highest = max(self.highest, float(mono.max()))
        self._sum += float(mono.sum(dtype=np.float64))
        self._power += float(np.square(mono, dtype=np.float64).sum())
        self._powers = self._powers + np.square(samples, dtype=np.float64).sum(axis=0)
        return mono

    @property
    def is_constant(self) -> bool:
        """Whether the recording has no sound: all samples have one value, which need not be 0."""
        return self.lowest == self.highest

    @property
    def level_dbfs(self) -> float:
        """Level of the models' input, without any constant offset; -inf without sound."""
        variance = self._power / self.samples - (self._sum / self.samples) ** 2
        return -np.inf if self.is_constant or variance <= 0 else 10 * float(np.log10(variance))

    @property
    def cancelled_db(self) -> float:
        """How much weaker the mean over channels is than that of unrelated channels, in dB.

        About 0 for unrelated channels, negative for equal ones, inf for opposite ones.
        """
        unrelated = float(self._powers.sum()) / len(self._powers) ** 2
        if len(self._powers) == 1 or not unrelated:
            return 0.0
        return 10 * float(np.log10(unrelated / self._power)) if self._power else np.inf

    @property
    def beyond_scale(self) -> str | None:
        """The result of the function ``beyond_scale`` for this recording."""
        return beyond_scale(self.peak, self._whole)

    @property
    def problem(self) -> str | None:
        """Why models cannot use the recording; None if they can."""
        if self.beyond_scale is None and self.cancelled_db >= CANCELLED_DB:
            weak = (
                "silent" if self.cancelled_db == np.inf else f"{self.cancelled_db:.0f} dB too low"
            )
            return (
                f"its {len(self._powers)} channels cancel one another: their mean, which "
                f"models receive, is {weak}; keep one of them, or invert one of them"
            )
        return self.beyond_scale


def is_whole(samples: NDArray[np.floating]) -> bool:
    """Whether all of ``samples`` are whole numbers."""
    return all(bool((part == np.rint(part)).all()) for part in (samples[:_GLANCE], samples))


def beyond_scale(peak: float, whole: bool) -> str | None:
    """A problem with floats that are integers; None for other floats.

    Args:
        peak: the greatest absolute value.
        whole: whether all samples are whole numbers, which never happens beyond ±1 in recordings.
    """
    if peak <= LOUDEST and (peak <= 1 or not whole):
        return None
    return (
        f"samples reach {peak:g}, but floats must be within ±1; 16-bit integers must come as "
        "int16, or divided by 32768"
    )
