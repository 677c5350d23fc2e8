"""``spectrograms``: three pictures of one utterance, below one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, PositiveFloat, PositiveInt
from torch import Tensor, nn

from serbench.api import SAMPLE_RATE_HZ, Framing, FrontEnd, FrontEndParams
from serbench_front_ends.spectra import (
    brought_to,
    lines_hz,
    mel_filters,
    mirrored,
    table,
    window_of,
)

if TYPE_CHECKING:
    from jaxtyping import Float

WINDOW, HOP, N_FFT = 400, 160, 2048
"""25 ms every 10 ms at 16 kHz; frames are transformed with zeros around them."""
LOWEST_HZ, OCTAVES = 62.5, 7
"""Of the constant-Q bands: to 8 kHz."""
GAMMATONE_HZ = (50.0, 7600.0)
"""Lowest and highest centre."""
TOP_DB = 80.0
"""What is more than this below a picture's loudest value is raised to there."""
FLOOR = 1e-16
"""The least power that is put in decibels: -160 dB, which only digital silence has."""


class SpectrogramsParams(FrontEndParams):
    """Sizes of the three pictures."""

    bands: PositiveInt = 64
    """Of each picture."""
    tapers: PositiveInt = 4
    """Windows that the multitaper spectrum is averaged over."""
    length_s: PositiveFloat | None = 3.0
    """Seconds that each utterance is brought to: its middle, or zeros on both sides."""


class Spectrograms(FrontEnd):
    """Multitaper mel, gammatone and constant-Q spectrograms in dB, in this order.

    The three that PEmoNet hears (Bhangale and Kothandaraman, 2023); their settings are not
    published, so that these are a reconstruction.
    """

    name: ClassVar[str] = "spectrograms"
    Params: ClassVar[type[BaseModel]] = SpectrogramsParams
    params: SpectrogramsParams

    @property
    def width(self) -> int:
        """Three times the bands: ``frames.unflatten(-1, (3, bands))`` takes them apart."""
        return 3 * self.params.bands

    @property
    def framing(self) -> Framing:
        """A frame every 10 ms; the lowest constant-Q band hears most around it."""
        length_s = self.params.length_s
        length = None if length_s is None else max(1, round(length_s * SAMPLE_RATE_HZ))
        return Framing(2 * _reach(self.params.bands), HOP, length=length)

    @property
    def length_s(self) -> float | None:
        """See ``SpectrogramsParams``."""
        return self.params.length_s

    @property
    def gain(self) -> Sequence[float]:
        """All are in dB."""
        return [1.0] * self.width

    @property
    def not_exported(self) -> str:
        """See ``FrontEnd``."""
        return "it looks for an utterance's loudest values"

    def build(self) -> nn.Module:
        """See ``FrontEnd``."""
        return ThreeSpectrograms(self.params, self.framing)


class ThreeSpectrograms(nn.Module):
    """``(*N, samples)`` to ``(*N, 1 + samples // 160, 3 · bands)``."""

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
    """Windowed complex tones, ``(2 · reach, bands)``, seven octaves from 62.5 Hz on.

    Each is Q periods of its band long, with Q such that a band ends where the next one begins
    (Brown, 1991), under a Hann window in the middle of the longest. All windows have the sum of
    one of 25 ms, so that a tone is as loud here as in the other two pictures.
    """
    reach = _reach(bands)
    at_s = np.arange(-reach, reach) / SAMPLE_RATE_HZ
    hz = LOWEST_HZ * 2.0 ** (np.arange(bands) * OCTAVES / bands)
    turns = np.outer(at_s, hz)
    inside = np.abs(turns) <= _quality(bands) / 2.0
    hann = np.where(inside, 0.5 + 0.5 * np.cos(2.0 * np.pi * turns / _quality(bands)), 0.0)
    return hann * (WINDOW / 2.0) / hann.sum(axis=0) * np.exp(-2j * np.pi * turns)


def _quality(bands: int) -> float:
    return 1.0 / (2.0 ** (OCTAVES / bands) - 1.0)


def _reach(bands: int) -> int:
    """Samples on either side of a frame's middle that the lowest band hears, 12.5 ms at least."""
    longest = np.ceil(_quality(bands) / LOWEST_HZ * SAMPLE_RATE_HZ / 2.0)
    return max(WINDOW // 2, int(longest))


def _decibels(power: Float[Tensor, "*N frames bands"]) -> Float[Tensor, "*N frames bands"]:
    values = power.clamp_min(FLOOR).log10() * 10.0
    return torch.maximum(values, values.amax(dim=(-2, -1), keepdim=True) - TOP_DB)
