"""Decides whether two recordings are one, by the correlation of their aligned waveforms.

Gain, codecs and resampling keep the waveform of a copy. A second take of a sentence has another
waveform, however similar it sounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from serbench.protocol.guard.near.fingerprints import (
    HIGHEST_HZ,
    LOWEST_HZ,
    RATE_HZ,
    Waveform,
    decimate,
    sounding,
)

SHORTEST_S = 0.6
"""Shortest common part: in less, two vowels at one pitch may have the same waveform."""

SHORTEST_ACTIVE_S = 0.25
"""Least time that is active in both recordings: mains hum and room tone correlate, too."""

SHORTEST_SHARE = 0.5
"""Share of its active part that the less active recording must have in common with the other: a
shared beep does not make a copy.
"""

BLOCK = RATE_HZ // 100
"""Samples of a block, active or not (10 ms)."""

LOUD_S = 0.2
"""A recording's loudness is the level that this much of it reaches, so that a click does not
determine it.
"""

QUIET_DB = -40.0
"""Blocks this far below a recording's loudness are not active."""

ABOVE_NOISE_DB = 6.0
"""Blocks less than this above the noise, the level of the quietest tenth, are not active …"""

ALWAYS_ACTIVE_DB = -10.0
"""… but blocks above this level relative to the loudness always are, for speech without pauses."""

CONTENDERS = 32
"""Number of whole lags with the greatest correlation, around which it is interpolated.

If a copy's true lag is between two samples, the nearest whole lag may not have the greatest
correlation.
"""

REACH = 16
"""Number of lags on each side that interpolation uses."""

STEPS = 8
"""Interpolated lags per sample."""


class Likeness(NamedTuple):
    """How similar two recordings are, and at which offset.

    Attributes:
        similarity: absolute normalised cross-correlation over the common part, 0 … 1.
        offset_s: how much later the common part begins in the second than in the first.
    """

    similarity: float
    offset_s: float


@dataclass(frozen=True)
class Prepared:
    """A recording, ready to be compared.

    Attributes:
        samples: ``(samples,)`` float32 at ``RATE_HZ``, band-limited.
        energy: ``(samples + 1,)`` float64, energy of everything before each sample.
        active: ``(blocks,)`` bool, False for blocks of ``BLOCK`` samples that are a pause.
    """

    samples: Waveform
    energy: NDArray[np.float64]
    active: NDArray[np.bool_]


def prepare(waveform: Waveform) -> Prepared:
    """Prepare ``(samples,)`` float32 at 16 kHz; digital silence at its ends is cut off."""
    samples = _band_limited(decimate(sounding(waveform)))
    power = np.square(samples, dtype=np.float64)
    return Prepared(samples, np.concatenate([[0.0], np.cumsum(power)]), _active(power))


def compare(one: Prepared, other: Prepared) -> Likeness:
    """The greatest absolute normalised cross-correlation over all lags with enough in common.

    Enough is ``SHORTEST_S``, of which ``SHORTEST_ACTIVE_S`` and ``SHORTEST_SHARE`` are active in
    both.

    For a lag l, it is |Σ x(t) y(t+l)| / √(Σ x²(t) Σ y²(t+l)), with t over the samples that both
    have. Between two lags it is interpolated, because a copy's lag may not be a whole number of
    samples.
    """
    x, y = one.samples, other.samples
    if not len(x) or not len(y):
        return Likeness(0.0, 0.0)
    lags = np.arange(1 - len(x), len(y))
    begin, end = np.maximum(0, -lags), np.minimum(len(x), len(y) - lags)
    energies = (one.energy[end] - one.energy[begin]) * (
        other.energy[end + lags] - other.energy[begin + lags]
    )
    allowed = (end - begin >= SHORTEST_S * RATE_HZ) & (energies > 0)
    allowed &= _active_together(one.active, other.active, lags)
    if not allowed.any():
        return Likeness(0.0, 0.0)
    product = _cross_correlation(x, y)
    ratio = np.where(allowed, np.abs(product) / np.sqrt(np.where(allowed, energies, 1.0)), 0.0)
    fewer = min(CONTENDERS, len(lags))
    places = np.sort(np.argpartition(ratio, -fewer)[-fewer:])
    places = places[allowed[places]]
    heights = _between(product, places) / np.sqrt(energies[places, None])
    place, fraction = np.unravel_index(int(np.argmax(heights)), heights.shape)
    offset = float(lags[places[place]] + _FRACTIONS[fraction])
    return Likeness(min(float(heights[place, fraction]), 1.0), offset / RATE_HZ)


def _band_limited(samples: Waveform) -> Waveform:
    """Remove everything outside the fingerprint's bands: hum below, aliases above."""
    if not len(samples):
        return samples
    # With zeros at the end, the filter's ringing does not wrap around to the start.
    size = _fast_size(len(samples) + RATE_HZ // 10)
    spectrum = np.fft.rfft(samples, size)
    frequency_hz = np.fft.rfftfreq(size, 1 / RATE_HZ)
    spectrum[(frequency_hz < LOWEST_HZ) | (frequency_hz > HIGHEST_HZ)] = 0.0
    return np.fft.irfft(spectrum, size)[: len(samples)].astype(np.float32, copy=False)


def _fast_size(least: int) -> int:
    """The next power of two, for a fast transform."""
    return 1 << (least - 1).bit_length()


def _active(power: NDArray[np.float64]) -> NDArray[np.bool_]:
    levels = np.add.reduceat(power, np.arange(0, len(power), BLOCK)) if len(power) else power
    heard = np.sort(levels[levels > 0])
    if not len(heard):
        return np.zeros(len(levels), np.bool_)
    loudness = heard[-min(len(heard), round(LOUD_S * RATE_HZ / BLOCK))]
    noise = heard[len(heard) // 10]
    floor = np.clip(
        noise * _ratio(ABOVE_NOISE_DB),
        loudness * _ratio(QUIET_DB),
        loudness * _ratio(ALWAYS_ACTIVE_DB),
    )
    return levels >= floor


def _ratio(level_db: float) -> float:
    return 10 ** (level_db / 10)


def _active_together(
    one: NDArray[np.bool_], other: NDArray[np.bool_], lags: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """For each lag in samples, whether enough is active in both recordings at the same time."""
    blocks = _cross_correlation(one.astype(np.float32), other.astype(np.float32))
    together = np.interp(lags / BLOCK, np.arange(1 - len(one), len(other)), blocks)
    share = SHORTEST_SHARE * min(one.sum(), other.sum())
    return together >= max(SHORTEST_ACTIVE_S * RATE_HZ / BLOCK, share)


def _cross_correlation(x: Waveform, y: Waveform) -> NDArray[np.float64]:
    """``(len(x) + len(y) - 1,)``: Σ x(t) y(t+l) for l from 1 - len(x) on, in float64."""
    size = _fast_size(len(x) + len(y) - 1)
    # Double precision, because quiet common parts may have a millionth of the energy.
    product = np.conj(np.fft.rfft(x.astype(np.float64), size))
    product *= np.fft.rfft(y.astype(np.float64), size)
    around = np.fft.irfft(product, size)
    return np.concatenate([around[size - len(x) + 1 :], around[: len(y)]])


def _between(product: NDArray[np.float64], places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Interpolate: ``(places, fractions)``, magnitudes at ``_FRACTIONS`` of a sample from each
    place.
    """
    around = np.pad(product, REACH)[places[:, None] + np.arange(2 * REACH + 1)]
    return np.abs(around @ _SINC.T)


def _sinc() -> NDArray[np.float64]:
    """Weights ``(fractions, 2 REACH + 1)`` for interpolation by a sinc with a Hann window."""
    distance = _FRACTIONS[:, None] - np.arange(-REACH, REACH + 1)
    return np.sinc(distance) * np.cos(np.pi * distance / (2 * (REACH + 1))) ** 2


_FRACTIONS = np.arange(1 - STEPS, STEPS) / STEPS
_SINC = _sinc()
