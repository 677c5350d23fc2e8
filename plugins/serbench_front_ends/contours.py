"""Measures of each frame of an utterance, computed with NumPy in double precision.

Frames are ``(F, samples)``. Digital silence gives finite values.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serbench.api import SAMPLE_RATE_HZ

Array = NDArray[np.float64]

TINY = 1e-12
"""Power that is added before divisions, so that silence gives finite values."""
PITCH_HZ = (60.0, 400.0)
"""Range of frequencies in Hz in which the pitch of speech is searched for."""
VOICED = 0.5
"""Least normalised autocorrelation of a voiced frame."""
OCTAVE_COST = 0.01
"""Amount by which a period twice as long must be better to be chosen: two periods also repeat."""


def framed(x: Array, window: int, hop: int) -> Array:
    """Frames around every ``hop``-th sample, with zeros beyond the ends:
    ``(1 + samples // hop, n)``.
    """
    count, half = 1 + len(x) // hop, window // 2
    padded = np.pad(x, (half, window))
    return np.lib.stride_tricks.sliding_window_view(padded, window)[::hop][:count].copy()


def deltas(contours: Array) -> Array:
    """Slopes over five frames of ``(F, d)``, the first and last frame repeated at the ends."""
    padded = np.pad(contours, ((2, 2), (0, 0)), mode="edge")
    count = len(contours)
    steps = (k * (padded[2 + k :][:count] - padded[2 - k :][:count]) for k in (1, 2))
    return sum(steps, np.zeros_like(contours)) / 10.0


def lpc(frames: Array, order: int) -> Array:
    """Linear prediction by the autocorrelation method: ``(F, order)``, x[n] ≈ Σ a_k x[n-k].

    It uses the recursion of Levinson and Durbin. Before that, the energy of each frame is increased
    by a billionth.
    """
    n = frames.shape[1]
    spectra = np.abs(np.fft.rfft(frames, 2 * n)) ** 2
    r = np.fft.irfft(spectra)[:, : order + 1]
    error = r[:, 0] * (1.0 + 1e-9) + TINY
    a = np.zeros((len(frames), order))
    for m in range(order):
        past = a[:, :m]
        reflection = (r[:, m + 1] - (past * r[:, m:0:-1]).sum(axis=1)) / error
        a[:, :m] = past - reflection[:, None] * past[:, ::-1]
        a[:, m] = reflection
        error = error * (1.0 - reflection**2) + TINY
    return a


def lpcc(frames: Array, order: int) -> Array:
    """Cepstrum of the predictor's all-pole spectrum, without its gain: ``(F, order)``.

    c_n = a_n + Σ_{k<n} (k / n) c_k a_{n-k} (Atal, JASA 55(6), 1974).
    """
    a = lpc(frames, order)
    c = np.zeros_like(a)
    for n in range(1, order + 1):
        k = np.arange(1, n)
        c[:, n - 1] = a[:, n - 1] + (c[:, : n - 1] * a[:, n - 2 :: -1][:, : n - 1] * k / n).sum(1)
    return c


def zero_crossings(frames: Array) -> Array:
    """Share of neighbouring samples with different signs, ``(F,)``."""
    signs = frames >= 0
    return (signs[:, 1:] != signs[:, :-1]).mean(axis=1)


def centroid_and_roll_off(power: Array, lines: Array) -> tuple[Array, Array]:
    """Mean frequency of ``power (F, lines)``, and the frequency below which 85 % of it lie; both in
    Hz, ``(F,)``.
    """
    total = power.sum(axis=1)
    centroid = power @ lines / (total + TINY)
    reached = np.cumsum(power, axis=1) >= 0.85 * total[:, None]
    return centroid, lines[reached.argmax(axis=1)]


def kurtosis(frames: Array) -> Array:
    """Fourth central moment over the squared second central moment, ``(F,)``; 0 for silence."""
    centred = frames - frames.mean(axis=1, keepdims=True)
    variance = (centred**2).mean(axis=1)
    return (centred**4).mean(axis=1) / (variance**2 + TINY**2)


def periods(frames: Array) -> Array:
    """Pitch periods in samples, ``(F,)``; 0 if a frame is unvoiced.

    A period is the lag of the highest peak of the autocorrelation between 60 and 400 Hz. Each lag
    is divided by the energies of the two parts that it compares. A parabola through the peak and
    its neighbours refines its position.
    """
    n = frames.shape[1]
    x = frames - frames.mean(axis=1, keepdims=True)
    r = np.fft.irfft(np.abs(np.fft.rfft(x, 2 * n)) ** 2)[:, :n]
    energy = np.pad(np.cumsum(x**2, axis=1), ((0, 0), (1, 0)))
    first, last = (int(SAMPLE_RATE_HZ / hz) for hz in reversed(PITCH_HZ))
    lags = np.arange(first - 1, last + 2)
    parts = energy[:, n - lags] * (energy[:, n : n + 1] - energy[:, lags])
    score = r[:, lags] / np.sqrt(parts + TINY)
    best = (score - OCTAVE_COST * np.log2(lags))[:, 1:-1].argmax(axis=1) + 1
    rows = np.arange(len(frames))
    before, at, after = (score[rows, best + step] for step in (-1, 0, 1))
    bend = before - 2.0 * at + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1.0), 0.0)
    return np.where(at >= VOICED, lags[best] + np.clip(shift, -0.5, 0.5), 0.0)


def unsteadiness(values: Array, voiced: NDArray[np.bool_]) -> float:
    """Mean step between neighbouring voiced frames, divided by their mean. Frame by frame, it is
    the jitter of periods, and the shimmer of peaks. 0 if no two neighbouring frames are voiced.
    """
    both = voiced[1:] & voiced[:-1]
    if not both.any():
        return 0.0
    steps = np.abs(np.diff(values))[both].mean()
    return float(steps / values[voiced].mean())
