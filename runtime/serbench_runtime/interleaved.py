"""Detection of two interleaved channels that are read as one."""

from __future__ import annotations

import numpy as np

from serbench_runtime.waveform import Waveform

SECONDS = 3.0
"""Seconds of sound to check."""

QUIETEST = 0.003
"""Root mean square of sound; softer samples may be a few steps of 16-bit integers."""

UNEQUAL = 1.5
"""From this ratio of loudness on, even and odd samples do not belong to one signal."""

ZIGZAG = 0.2
"""From this difference of autocorrelations on, they do not belong to one signal either."""


def looks_interleaved(waveform: Waveform) -> bool:
    """Whether ``(samples,)`` may be two interleaved channels.

    In one signal, even and odd samples are equally loud, a sample differs as much from the one
    before as from the one after, and the autocorrelation of speech falls smoothly with distance.
    Interleaved channels may differ in loudness; similar channels differ little within each pair and
    more between pairs; for other channels, only samples at an even distance are similar.

    Examples:
        >>> one = np.random.default_rng(0).normal(0, 0.1, 16_000).cumsum()
        >>> looks_interleaved(one), looks_interleaved(np.repeat(one, 2))
        (False, True)
    """
    samples = waveform[: len(waveform) // 2 * 2].astype(np.float64)
    pairs = samples.reshape(-1, 2)
    within = np.square(pairs[:, 1] - pairs[:, 0]).sum()
    between = np.square(pairs[1:, 0] - pairs[:-1, 1]).sum()
    even, odd = np.square(pairs).sum(axis=0)
    return bool(_unequal(within, between) or _unequal(even, odd) or _zigzag(samples) > ZIGZAG)


def _unequal(one: float, other: float) -> bool:
    return max(one, other) > UNEQUAL * min(one, other)


def _zigzag(samples: np.ndarray) -> float:
    """How much more similar samples are at distance 2 than at distances 1 and 3."""
    power = np.square(samples).sum()
    if not power:
        return 0.0
    one, two, three = (float((samples[k:] * samples[:-k]).sum() / power) for k in (1, 2, 3))
    return two - (one + three) / 2
