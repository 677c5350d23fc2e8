"""Turns a waveform into words that its copies share: signs of differences between band energies.

The idea is that of Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002).
Two things are different, for short speech. Only the lower speech band is used, which every codec
and every telephone rate keeps. Windows of 128 ms are 10 ms apart, so that a cut between two frames
hardly matters and half a second is enough.
"""

from __future__ import annotations

import itertools

import numpy as np
import scipy.fft
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from serbench.api import SAMPLE_RATE_HZ

RATE_HZ = 4_000
"""Rate of fingerprints and comparisons: high enough for the bands, and a quarter of the work."""

WINDOW = 512
"""Samples of a frame (128 ms)."""

HOP = 40
"""Samples from a frame to the next (10 ms)."""

BANDS = 25
LOWEST_HZ, HIGHEST_HZ = 150.0, 1_900.0
"""Bands are spaced evenly in log frequency between these; mains hum lies below."""

SPAN = 6
"""Frames between the two whose energies are compared (60 ms)."""

BITS = BANDS - 1
"""A word has one bit for each pair of neighbouring bands, the lowest of a number of 32."""

WORD = np.uint32((1 << BITS) - 1)
"""Mask of these bits. The number of the least certain one is stored above them."""

QUIETEST_RMS = 1e-5
"""Frames below -100 dB of full scale contain only rounding errors."""

NO_WORD = np.uint32(0xFFFFFFFF)
"""Value of a silent frame; no word has this value."""

BLOCK_FRAMES = 2_048
"""Frames transformed at a time, so that the windows of a long recording do not fill the memory."""

Waveform = NDArray[np.float32]
Words = NDArray[np.uint32]

_TAPER = np.hanning(WINDOW).astype(np.float32)


def sounding(waveform: Waveform) -> Waveform:
    """``waveform`` without digital silence at its ends, by the rule of ``pcm_digest``.

    So everything that is computed from the result depends only on the audio of the digest.
    """
    loud = np.flatnonzero(np.abs(waveform) * np.float32(32768.0) > 0.5)
    return waveform[loud[0] : loud[-1] + 1] if loud.size else waveform[:0]


def decimate(waveform: Waveform) -> Waveform:
    """Resample ``(samples,)`` float32 at 16 kHz to ``(samples / 4,)`` at ``RATE_HZ``."""
    return soxr.resample(waveform, SAMPLE_RATE_HZ, RATE_HZ, quality="LQ").astype(
        np.float32, copy=False
    )


def fingerprint(waveform: Waveform) -> Words:
    """The words of a 16 kHz waveform.

    Bit m of frame n says whether the step in energy from band m to band m + 1 is greater there
    than it was ``SPAN`` frames earlier: E(n, m) - E(n, m+1) > E(n - SPAN, m) - E(n - SPAN, m+1).
    Neither gain nor polarity changes it. The number of the bit whose two sides are closest is
    stored above the word: this bit is the first that a codec changes.

    Args:
        waveform: ``(samples,)`` float32, as ``read_waveform`` gives it.

    Returns:
        ``(frames,)`` uint32, 100 frames a second from the first sound on; ``NO_WORD`` for a silent
        frame. Empty for less than 0.19 s of sound.
    """
    return words(band_steps(decimate(sounding(waveform))))


def band_edges() -> NDArray[np.int64]:
    """``(BANDS + 1,)`` int64: the first bin of each band, and the end of the last; all differ."""
    edges_hz = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1)
    return np.rint(edges_hz * WINDOW / RATE_HZ).astype(np.int64)


def band_steps(samples: Waveform) -> Waveform:
    """Energy steps between neighbouring bands of every frame.

    Args:
        samples: ``(samples,)`` float32 at ``RATE_HZ``.

    Returns:
        ``(frames, BITS + 1)`` float32: E(n, m) - E(n, m+1) for each m, and the frame's energy
        over all bands in the last column.
    """
    if len(samples) < WINDOW:
        return np.empty((0, BITS + 1), np.float32)
    frames = sliding_window_view(samples, WINDOW)[::HOP]  # (frames, WINDOW)
    blocks = [
        _block_steps(frames[first : first + BLOCK_FRAMES])
        for first in range(0, len(frames), BLOCK_FRAMES)
    ]
    return np.concatenate(blocks)


def words(steps: Waveform) -> Words:
    """Words ``(frames - SPAN,)`` uint32 from the result of ``band_steps``."""
    if len(steps) <= SPAN:
        return np.empty(0, np.uint32)
    change = steps[SPAN:, :BITS] - steps[:-SPAN, :BITS]
    packed = np.empty((len(change), 4), np.uint8)
    packed[:, : BITS // 8] = np.packbits(change > 0, axis=1, bitorder="little")
    packed[:, BITS // 8] = np.abs(change, out=change).argmin(axis=1)
    # Energy of a windowed frame by Parseval; neither frame of a comparison may be silent.
    quietest = QUIETEST_RMS**2 * float(np.square(_TAPER).sum()) * WINDOW / 2
    silent = np.minimum(steps[SPAN:, BITS], steps[:-SPAN, BITS]) < quietest
    return np.where(silent, NO_WORD, packed.view("<u4")[:, 0])


def turned(words: Words) -> Words:
    """Words with their least certain bit flipped and nothing above them; ``NO_WORD`` stays."""
    other = (words & WORD) ^ (np.uint32(1) << (words >> np.uint32(BITS)) % np.uint32(BITS))
    return np.where(words == NO_WORD, NO_WORD, other)


def _block_steps(frames: Waveform) -> Waveform:
    spectrum = np.asarray(scipy.fft.rfft(frames * _TAPER, axis=1))
    parts = np.ascontiguousarray(spectrum[:, _FIRST_BIN:_END_BIN]).view(
        np.float32
    )  # real and imaginary, side by side
    return np.square(parts, out=parts) @ _STEPS


def _step_matrix() -> Waveform:
    """``(2 bins, BITS + 1)``: maps squared parts of bins to steps between bands and energy."""
    edges = band_edges() - band_edges()[0]
    in_band = np.zeros((edges[-1], BANDS), np.float32)
    for band, (first, end) in enumerate(itertools.pairwise(edges)):
        in_band[first:end, band] = 1.0
    steps = np.hstack([in_band[:, :-1] - in_band[:, 1:], in_band.sum(axis=1, keepdims=True)])
    return np.repeat(steps, 2, axis=0)


_FIRST_BIN, _END_BIN = int(band_edges()[0]), int(band_edges()[-1])
_STEPS = _step_matrix()
