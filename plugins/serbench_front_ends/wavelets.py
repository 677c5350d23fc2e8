"""Daubechies' wavelets, which are constructed here, and wavelet packets."""

from __future__ import annotations

from functools import cache
from math import comb

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@cache
def daubechies(moments: int) -> tuple[float, ...]:
    """The low-pass filter with ``moments`` vanishing moments and the least delay, 2 · moments taps.

    It is found by spectral factorisation (Daubechies, Ten Lectures on Wavelets, 1992, chapter 6):
    its squared response is ``cos²(ω/2)^N P(sin²(ω/2))`` with ``P(y) = Σ C(N-1+k, k) y^k``, and from
    each pair of zeros z and 1/z of P, the filter takes the zero inside the unit circle.
    """
    y_roots = np.roots([comb(moments - 1 + k, k) for k in reversed(range(moments))])
    taps = np.poly([-1.0] * moments)
    for y in y_roots:  # y = (2 - z - 1/z) / 4
        pair = np.roots([1.0, 4.0 * y - 2.0, 1.0])
        taps = np.convolve(taps, [1.0, -pair[np.argmin(np.abs(pair))]])
    real = np.real(taps)
    return tuple(real * np.sqrt(2.0) / real.sum())


def packets(frames: Array, levels: int, moments: int = 4) -> Array:
    """Wavelet packets of periodic frames, from the lowest frequencies to the highest.

    Args:
        frames: ``(F, n)``, n a multiple of ``2 ** levels``.
        levels: how often each band is halved.
        moments: vanishing moments of the wavelet.

    Returns:
        ``(F, 2 ** levels, n / 2 ** levels)``, of the same energy.
    """
    bands = frames[:, None]
    for _ in range(levels):
        low, high = _halves(bands, np.array(daubechies(moments)))
        # Frequencies in a high band are in reverse order, so its two halves are swapped.
        odd = np.arange(bands.shape[1]) % 2 == 1
        first = np.where(odd[:, None], high, low)
        second = np.where(odd[:, None], low, high)
        bands = np.stack([first, second], axis=2).reshape(len(frames), -1, low.shape[2])
    return bands


def _halves(bands: Array, low: Array) -> tuple[Array, Array]:
    """Every second value of the circular convolutions of ``(F, bands, n)`` with both filters."""
    n, taps = bands.shape[2], len(low)
    high = low[::-1] * (-1.0) ** np.arange(taps)
    places = (np.arange(0, n, 2)[:, None] + np.arange(taps)) % n
    pieces = bands[..., places]  # (F, bands, n / 2, taps)
    return pieces @ low, pieces @ high
