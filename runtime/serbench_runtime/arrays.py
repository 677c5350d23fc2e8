"""Converts samples of any usual kind to mono float32 at the model's rate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import numpy as np
import soxr
from numpy.typing import ArrayLike, NDArray

from serbench_runtime.errors import WaveformError
from serbench_runtime.waveform import RATES_HZ, Tally, Waveform, beyond_scale, is_whole

if TYPE_CHECKING:
    from jaxtyping import Float32, Shaped

MOST_CHANNELS = 8
"""Greatest number of channels; an axis that is longer is time."""

_FULL_SCALE = {"int8": 2.0**7, "int16": 2.0**15, "int32": 2.0**31}
"""Divisors of integers, as in libsndfile."""


def as_waveform(
    samples: ArrayLike, sample_rate: float, rate_hz: int, shortest_s: float
) -> Float32[Waveform, " samples"]:
    """``samples`` as one channel at ``rate_hz``, full scale ±1.

    Examples:
        >>> stereo = np.full((8_000, 2), 16_384, np.int16)  # 1 s at 8 kHz, at half of full scale
        >>> waveform = as_waveform(stereo, 8_000, rate_hz=16_000, shortest_s=0.1)
        >>> waveform.shape, waveform.dtype.name
        ((16000,), 'float32')
        >>> round(float(waveform[8_000]), 2)
        0.5

    Args:
        samples: ``(samples,)``, ``(samples, channels)`` as soundfile reads it, or
            ``(channels, samples)``; at most 8 channels, which are averaged. Floats within ±1, or
            int8, int16, int32 or uint8 in their full range.
        sample_rate: sample rate of ``samples`` in Hz; rates other than ``rate_hz`` are converted
            with soxr's high-quality recipe.
        rate_hz: sample rate of the result.
        shortest_s: shorter waveforms are refused.

    Raises:
        WaveformError: ``samples`` has another shape or kind, is empty, too short or not finite, has
            floats beyond ±10, whole numbers beyond ±1 or channels that cancel one another; or the
            rate is outside 1 kHz to 1 MHz.
    """
    rate = check_rate(sample_rate)
    mono = _mono(_as_array(samples))
    duration_s = len(mono) / rate
    if not len(mono):
        raise WaveformError("the waveform is empty")
    if duration_s < shortest_s:
        raise WaveformError(
            f"the waveform is too short: {duration_s:.3f} s ({len(mono)} samples at {rate:g} Hz); "
            f"at least {shortest_s:g} s are needed"
        )
    return resampled(mono, rate, rate_hz)


def check_rate(sample_rate: float) -> float:
    """``sample_rate`` in Hz as a float.

    Raises:
        WaveformError: ``sample_rate`` is not a number, or outside 1 kHz to 1 MHz.
    """
    known = isinstance(sample_rate, int | float | np.integer | np.floating)
    if not known or isinstance(sample_rate, bool):
        raise WaveformError(f"the sample rate is {sample_rate!r}; give a number in Hz")
    rate = float(sample_rate)
    if not (math.isfinite(rate) and RATES_HZ[0] <= rate <= RATES_HZ[1]):
        raise WaveformError(
            f"the sample rate is {rate:g} Hz; give one from {RATES_HZ[0]:g} to {RATES_HZ[1]:,.0f}"
        )
    return rate


def resampled(
    mono: Float32[Waveform, " before"], rate: float, rate_hz: int
) -> Float32[Waveform, " after"]:
    """``mono`` at another rate."""
    if rate == rate_hz:
        return mono
    return soxr.resample(mono, rate, rate_hz, quality="HQ").astype(np.float32, copy=False)


def scaled(
    samples: Shaped[NDArray[np.generic], "*shape"],
) -> Float32[NDArray[np.float32], "*shape"]:
    """Floats or integers as float32 within ±1.

    Raises:
        WaveformError: the array is of another kind, has values that are not finite, or has floats
            that are integers, see ``serbench_runtime.waveform.beyond_scale``.
    """
    kind = samples.dtype.name
    if kind in _FULL_SCALE:
        return samples.astype(np.float32) / np.float32(_FULL_SCALE[kind])
    if kind == "uint8":
        return (samples.astype(np.float32) - 128.0) / np.float32(128.0)
    if samples.dtype.kind != "f":
        raise WaveformError(
            f"a waveform of {kind} has no known full scale; give floats within ±1, or int16, "
            "int32, int8 or uint8"
        )
    bad = int(np.count_nonzero(~np.isfinite(samples)))
    if bad:
        raise WaveformError(f"{bad} of {samples.size} samples are NaN or infinite")
    if samples.size:
        peak = max(-float(samples.min()), float(samples.max()))
        if problem := beyond_scale(peak, is_whole(cast("NDArray[np.floating]", samples))):
            raise WaveformError(problem)
    return samples.astype(np.float32, copy=False)


def _as_array(samples: ArrayLike) -> NDArray[np.generic]:
    try:
        return np.asarray(samples)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged lists, foreign objects
        raise WaveformError(f"the waveform is not an array of numbers ({error})") from error


def _mono(samples: NDArray[np.generic]) -> Float32[Waveform, " samples"]:
    """The mean over channels."""
    if samples.ndim == 1:
        return scaled(samples)
    if samples.ndim != 2:
        raise WaveformError(
            f"a waveform has one axis, or two with channels; this array has shape {samples.shape}"
        )
    first, second = samples.shape
    if first <= MOST_CHANNELS < second:  # (channels, samples)
        samples = samples.T
    elif second > MOST_CHANNELS:
        raise WaveformError(
            f"no axis of shape {samples.shape} can be channels: each has more than "
            f"{MOST_CHANNELS}; give (samples,) or (samples, channels)"
        )
    elif second == 0:
        raise WaveformError("the waveform is empty")
    tally = Tally()
    mono = tally.add(scaled(samples))
    if tally.problem:
        raise WaveformError(tally.problem)
    return mono
