"""The glottal source: a train of Rosenberg-like pulses with jitter, shimmer and breath noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.floating]

RETURN_SHARE = 0.01
"""Time constant of the return after closure, as a share of the cycle."""
SHIMMER_PER_JITTER = 5.0
"""Ratio of the amplitude's change from cycle to cycle (shimmer) to the period's change (jitter)."""


def glottal_source(
    f0_hz: Signal,
    voicing: Signal,
    open_quotient: float,
    jitter: float,
    breath: float,
    sample_rate_hz: int,
    rng: np.random.Generator,
) -> Signal:
    """Derivative of the glottal flow, ``(samples,)``, peak about 1 where ``voicing`` is 1.

    Args:
        f0_hz: ``(samples,)`` fundamental frequency.
        voicing: ``(samples,)`` amplitude.
        open_quotient: share of a cycle that the glottis is open.
        jitter: standard deviation of the period from cycle to cycle, as a share of it.
        breath: standard deviation of the noise while the glottis is open.
        sample_rate_hz: of the result.
        rng: random generator for jitter, shimmer and breath.
    """
    steps = f0_hz / sample_rate_hz  # cycles per sample
    cycle = np.floor(np.cumsum(steps)).astype(np.int64)
    deviation = np.clip(rng.standard_normal(cycle[-1] + 1), -2.5, 2.5)
    phase: Signal = np.cumsum(steps * (1.0 + jitter * deviation[cycle]))
    cycle = np.floor(phase).astype(np.int64)
    shimmer = 1.0 + SHIMMER_PER_JITTER * jitter * np.clip(
        rng.standard_normal(cycle[-1] + 1), -2.5, 2.5
    )
    position = phase - cycle
    noise = breath * rng.standard_normal(len(phase)) * (0.3 + 0.7 * (position < open_quotient))
    return voicing * (_pulse(position, open_quotient) * shimmer[cycle] + noise)


def _pulse(position: Signal, open_quotient: float) -> Signal:
    """Flow derivative at ``position`` (0 … 1) of the cycle.

    Flow rises and falls as t²(1 - t) while the glottis is open (Rosenberg, JASA 49, 1971), so its
    derivative is 2t - 3t², which ends in a step of -1. An exponential return follows, as in the LF
    model (Fant, Liljencrants & Lin, STL-QPSR 4/1985), because a hard step would cause aliasing.
    """
    t = position / open_quotient
    returning = -np.exp(-(position - open_quotient) / RETURN_SHARE)
    return np.where(t < 1.0, 2.0 * t - 3.0 * t * t, returning)
