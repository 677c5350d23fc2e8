"""The front end ``spectrograms`` as a module; see ``serbench_front_ends.spectrograms``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from serbench.api import SAMPLE_RATE_HZ, Framing
from serbench_front_ends.spectrograms import (
    HOP,
    LOWEST_HZ,
    N_FFT,
    OCTAVES,
    WINDOW,
    quality,
    reach_of,
)
from serbench_front_ends.transforms.spectra import (
    brought_to,
    lines_hz,
    mel_filters,
    mirrored,
    table,
    window_of,
)

if TYPE_CHECKING:
    from jaxtyping import Float

    from serbench_front_ends.spectrograms import SpectrogramsParams

GAMMATONE_HZ = (50.0, 7600.0)
"""Lowest and highest centre frequency in Hz."""

TOP_DB = 80.0
"""Values that are more than this below a spectrogram's largest value are raised to that limit."""

FLOOR = 1e-16
"""Least power that is converted to decibels: -160 dB, which occurs only in digital silence."""


class ThreeSpectrograms(nn.Module):
    """A module from ``(*N, samples)`` to ``(*N, 1 + samples // 160, 3 · bands)``."""

    tapers: Tensor
    hann: Tensor
    mel: Tensor
    gammatone: Tensor
    cosines: Tensor
    sines: Tensor

    def __init__(self, params: SpectrogramsParams, framing: Framing) -> None:
        super().__init__()
        self.framing = framing
        lines, bands = lines_hz(N_FFT, SAMPLE_RATE_HZ), params.bands
        kernels = constant_q_kernels(bands)
        for name, values in {
            "tapers": sine_tapers(WINDOW, params.tapers),
            "hann": window_of("hann", WINDOW),
            "mel": mel_filters(lines, bands, (0.0, SAMPLE_RATE_HZ / 2)),
            "gammatone": gammatone_filters(lines, bands),
            "cosines": kernels.real,
            "sines": kernels.imag,
        }.items():
            self.register_buffer(name, table(values))

    def forward(self, waveforms: Float[Tensor, "*N samples"]) -> Float[Tensor, "*N frames d"]:
        """See ``FrontEnd``."""
        x = brought_to(waveforms, self.framing.length)
        reach = self.framing.reach
        count, padded = 1 + x.shape[-1] // HOP, mirrored(x, reach)
        wide = padded.unfold(-1, 2 * reach, HOP)[..., :count, :]
        frames = wide[..., reach - WINDOW // 2 : reach + WINDOW // 2]
        tapered = torch.fft.rfft(frames[..., None, :] * self.tapers, N_FFT).abs().square()
        power = torch.fft.rfft(frames * self.hann, N_FFT).abs().square()
        pictures = (
            tapered.mean(dim=-2) @ self.mel,
            power @ self.gammatone,
            (wide @ self.cosines).square() + (wide @ self.sines).square(),
        )
        return torch.cat([_decibels(each) for each in pictures], dim=-1)


def sine_tapers(size: int, count: int) -> NDArray[np.float64]:
    """Orthonormal sine tapers, ``(count, size)`` (Riedel and Sidorenko, 1995)."""
    place, order = np.arange(1, size + 1), np.arange(1, count + 1)
    return np.sqrt(2.0 / (size + 1)) * np.sin(np.pi * np.outer(order, place) / (size + 1))


def gammatone_filters(lines: NDArray[np.float64], bands: int) -> NDArray[np.float64]:
    """Power responses of gammatone filters of fourth order, ``(lines, bands)``.

    ``(1 + ((f - fc) / b)²)^-4`` with ``b = 1.019 ERB(fc)``; centres are evenly spaced on the
    ERB-rate scale (Glasberg and Moore, 1990).
    """
    low, high = (21.4 * np.log10(1.0 + 0.00437 * hz) for hz in GAMMATONE_HZ)
    centres = (10.0 ** (np.linspace(low, high, bands) / 21.4) - 1.0) / 0.00437
    widths = 1.019 * 24.7 * (1.0 + 0.00437 * centres)
    return (1.0 + ((lines[:, None] - centres) / widths) ** 2) ** -4.0


def constant_q_kernels(bands: int) -> NDArray[np.complex128]:
    """Windowed complex tones, ``(2 · reach, bands)``, over seven octaves from 62.5 Hz on.

    Each tone has a length of Q periods of its band; Q is chosen so that a band ends where the
    next one begins (Brown, 1991). Its Hann window is in the middle of the longest window. All
    windows have the same sum as a window of 25 ms, so that a tone has the same level as in the
    other two spectrograms.
    """
    reach = reach_of(bands)
    at_s = np.arange(-reach, reach) / SAMPLE_RATE_HZ
    hz = LOWEST_HZ * 2.0 ** (np.arange(bands) * OCTAVES / bands)
    turns = np.outer(at_s, hz)
    inside = np.abs(turns) <= quality(bands) / 2.0
    hann = np.where(inside, 0.5 + 0.5 * np.cos(2.0 * np.pi * turns / quality(bands)), 0.0)
    return hann * (WINDOW / 2.0) / hann.sum(axis=0) * np.exp(-2j * np.pi * turns)


def _decibels(power: Float[Tensor, "*N frames bands"]) -> Float[Tensor, "*N frames bands"]:
    values = power.clamp_min(FLOOR).log10() * 10.0
    return torch.maximum(values, values.amax(dim=(-2, -1), keepdim=True) - TOP_DB)
