"""Statistics of a recording's cepstrum that describe its voice, half by half.

Means and deviations of mel cepstra over the active part (Davis and Mermelstein, IEEE Trans. ASSP
1980) are the simplest description of a voice that works across sentences. Each half of a recording
is described separately: the halves differ in their words and share the speaker. This shows how much
words alone change the numbers, without trusting any label.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from serbench_runtime.waveform import SAMPLE_RATE_HZ, Waveform

WINDOW = 512
"""Samples of a frame at 16 kHz (32 ms)."""

HOP = 320
"""Samples between the starts of frames (20 ms): more frames would only cost time."""

FILTERS = 32
LOWEST_HZ, HIGHEST_HZ = 80.0, 7_600.0
"""Ends of the range of the mel filters, which are triangles of equal width on the mel scale."""

CEPSTRA = 19
"""Number of coefficients, 1 … 19; coefficient 0, which is loudness, is left out."""

VALUES = 2 * CEPSTRA
"""Values per half: the mean of each coefficient, then its standard deviation."""

LOUD_FRAMES = 10
"""A recording's level is exceeded by this many of its frames (0.2 s)."""

ACTIVE_DB = -30.0
"""Frames this far below that level are pauses."""

FLOOR_DB = -60.0
"""Power this far below that level is rounding or room noise, not voice."""

FEWEST_FRAMES = 32
"""Active frames (0.64 s) that two halves need."""

_BLOCK = 4_096


def voice(waveform: Waveform) -> NDArray[np.float32] | None:
    """Statistics of both halves of the active part of a recording.

    Args:
        waveform: ``(samples,)`` float32 at 16 kHz.

    Returns:
        ``(2, VALUES)``, the same at any level; None for less than ``FEWEST_FRAMES`` of speech.
    """
    if len(waveform) < WINDOW + FEWEST_FRAMES * HOP:
        return None
    bands = _band_powers(waveform)  # (frames, FILTERS)
    power = bands.sum(axis=1)
    loudness = float(np.partition(power, -LOUD_FRAMES)[-LOUD_FRAMES])
    active = bands[power > loudness * 10 ** (ACTIVE_DB / 10)]
    if len(active) < FEWEST_FRAMES:
        return None
    floored = active + loudness * 10 ** (FLOOR_DB / 10) / FILTERS
    cepstra = np.asarray(scipy.fft.dct(np.log(floored), axis=1, norm="ortho"))
    halves = np.array_split(cepstra[:, 1 : CEPSTRA + 1], 2)
    described = [np.concatenate([half.mean(axis=0), half.std(axis=0)]) for half in halves]
    return np.stack(described).astype(np.float32)


def _band_powers(waveform: Waveform) -> NDArray[np.float64]:
    framed = sliding_window_view(waveform, WINDOW)[::HOP]
    blocks = []
    for first in range(0, len(framed), _BLOCK):
        windowed = framed[first : first + _BLOCK] * _TAPER
        spectrum = np.asarray(scipy.fft.rfft(windowed, axis=1), dtype=np.complex64)
        blocks.append(np.square(np.abs(spectrum)) @ _FILTERS)
    return np.concatenate(blocks).astype(np.float64)


def _mel_filters() -> NDArray[np.float32]:
    """The mel filters ``(WINDOW / 2 + 1, FILTERS)``."""
    low, high = (2595 * np.log10(1 + edge / 700) for edge in (LOWEST_HZ, HIGHEST_HZ))
    edges_hz = 700 * (10 ** (np.linspace(low, high, FILTERS + 2) / 2595) - 1)
    bins_hz = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE_HZ)[:, None]
    below, middle, above = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rise, fall = (bins_hz - below) / (middle - below), (above - bins_hz) / (above - middle)
    return np.maximum(0.0, np.minimum(rise, fall)).astype(np.float32)


_TAPER = np.hanning(WINDOW).astype(np.float32)
_FILTERS = _mel_filters()
