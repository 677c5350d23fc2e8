"""Shared by front ends of spectra: resampling, lengths, frames, and filters as formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import SAMPLE_RATE_HZ, import_torchaudio

if TYPE_CHECKING:
    from jaxtyping import Float

    from serbench_front_ends.mfcc import MelScale, WindowKind

_SLANEY_HZ = 200.0 / 3.0
"""Width of a mel in Hz, below 1000 Hz."""
_SLANEY_STEP = np.log(6.4) / 27.0
"""Above 1000 Hz (mel 15), a mel is a factor of exp of this number."""


class Resample(nn.Module):
    """Resampling from 16 kHz to another rate: ``ceil(samples * rate / 16000)`` samples, by a
    windowed sinc.
    """

    def __init__(self, rate_hz: int) -> None:
        super().__init__()
        self.rate_hz = rate_hz
        # A long Kaiser window that attenuates images by 100 dB ("kaiser best" of resampy).
        self.transform = import_torchaudio().transforms.Resample(
            SAMPLE_RATE_HZ,
            rate_hz,
            resampling_method="sinc_interp_kaiser",
            lowpass_filter_width=64,
            rolloff=0.9475937167399596,
            beta=14.769656459379492,
        )

    def forward(self, waveforms: Float[Tensor, "*N samples"]) -> Float[Tensor, "*N resampled"]:
        """See the class."""
        if self.rate_hz == SAMPLE_RATE_HZ:
            return waveforms
        # torchaudio rounds the number of samples in float32.
        count = -(-waveforms.shape[-1] * self.rate_hz // SAMPLE_RATE_HZ)
        resampled = self.transform(waveforms)
        return F.pad(resampled, (0, count - resampled.shape[-1]))


def brought_to(
    waveforms: Float[Tensor, "*N samples"], length: int | None
) -> Float[Tensor, "*N length"]:
    """The middle ``length`` samples, or the waveforms with zeros on both sides; None: unchanged."""
    if length is None:
        return waveforms
    spare = length - waveforms.shape[-1]
    before = spare // 2 if spare >= 0 else -(-spare // 2)
    return F.pad(waveforms, (before, spare - before))


def mirrored(waveforms: Float[Tensor, "*N samples"], reach: int) -> Float[Tensor, "*N padded"]:
    """Waveforms with ``reach`` more samples on both sides: the mirror image of the utterance.

    Waveforms that are too short for that get zeros.
    """
    if waveforms.shape[-1] <= reach:
        return F.pad(waveforms, (reach, reach))
    flat = waveforms.reshape(-1, waveforms.shape[-1])
    padded = F.pad(flat[:, None], (reach, reach), mode="reflect")
    return padded.reshape(*waveforms.shape[:-1], -1)


def window_of(kind: WindowKind, size: int) -> NDArray[np.float64]:
    """A periodic Hann or Hamming window, ``(size,)``."""
    floor = 0.5 if kind == "hann" else 0.54
    return floor - (1.0 - floor) * np.cos(2.0 * np.pi * np.arange(size) / size)


def lines_hz(n_fft: int, rate_hz: int) -> NDArray[np.float64]:
    """Frequencies of the lines of a spectrum in Hz, ``(n_fft // 2 + 1,)``."""
    return np.arange(n_fft // 2 + 1) * rate_hz / n_fft


def hz_to_mel(hz: float, scale: MelScale) -> float:
    """Mel of a frequency: HTK's, 2595 log10(1 + f / 700), or Slaney's: linear to 1000
    Hz, then logarithmic.
    """
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    if hz < 1000.0:
        return hz / _SLANEY_HZ
    return 15.0 + np.log(hz / 1000.0) / _SLANEY_STEP


def mel_to_hz(mel: NDArray[np.float64], scale: MelScale) -> NDArray[np.float64]:
    """The inverse of ``hz_to_mel``."""
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    above = 1000.0 * np.exp(_SLANEY_STEP * (mel - 15.0))
    return np.where(mel < 15.0, mel * _SLANEY_HZ, above)


def mel_filters(
    lines: NDArray[np.float64],
    n_mels: int,
    band_hz: tuple[float, float],
    scale: MelScale = "slaney",
    *,
    equal_area: bool = True,
) -> NDArray[np.float64]:
    """Triangles whose corners are evenly spaced in mel, ``(lines, n_mels)``.

    Args:
        lines: frequencies of the spectrum in Hz.
        n_mels: number of filters.
        band_hz: lowest and highest corner in Hz.
        scale: formula of mel.
        equal_area: whether each filter is divided by half its width in Hz; else its peak is 1.
    """
    low, high = (hz_to_mel(hz, scale) for hz in band_hz)
    corners = mel_to_hz(np.linspace(low, high, n_mels + 2), scale)
    widths = np.diff(corners)
    slopes = lines[:, None] - corners  # (lines, n_mels + 2)
    rising, falling = slopes[:, :-2] / widths[:-1], -slopes[:, 2:] / widths[1:]
    filters = np.clip(np.minimum(rising, falling), 0.0, None)
    return filters * 2.0 / (corners[2:] - corners[:-2]) if equal_area else filters


def dct_matrix(n_mels: int, coefficients: int) -> NDArray[np.float64]:
    """The orthonormal DCT-II, ``(n_mels, coefficients)``."""
    place, order = np.arange(n_mels) + 0.5, np.arange(coefficients)
    matrix = np.cos(np.pi * np.outer(place, order) / n_mels) * np.sqrt(2.0 / n_mels)
    matrix[:, 0] /= np.sqrt(2.0)
    return matrix


def chroma_filters(lines: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    """Weights of each line of a spectrum in each pitch class, from C on, ``(lines, classes)``.

    The weights of a line are a Gaussian around its own pitch class. It is as wide as a class or as
    the line, whichever is wider, and its norm is 1. Lines have less weight the farther they are
    from 880 Hz (a Gaussian with a deviation of two octaves). The line at 0 Hz, which has no pitch,
    is left out (Ellis, Chroma feature analysis and synthesis, 2007).
    """
    octaves = np.log2(lines[1:] / 440.0)
    pitch = octaves * classes  # in classes above A
    spread = np.maximum(np.diff(pitch, append=pitch[-1]), 1.0)
    from_a = np.arange(classes) - 9.0 * classes / 12.0  # C is nine semitones below A
    apart = pitch[:, None] - from_a
    apart -= classes * np.round(apart / classes)  # the shorter way around the circle
    weights = np.exp(-0.5 * (2.0 * apart / spread[:, None]) ** 2)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    weights *= np.exp(-0.5 * ((octaves - 1.0) / 2.0) ** 2)[:, None]
    return np.concatenate([np.zeros((1, classes)), weights])


def table(values: NDArray[np.float64]) -> Tensor:
    """Values as a float32 tensor."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
