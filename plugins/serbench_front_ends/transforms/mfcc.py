"""The front end ``mfcc`` as a module; see ``serbench_front_ends.mfcc``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from serbench.api import Framing
from serbench_front_ends.transforms.spectra import (
    Resample,
    brought_to,
    chroma_filters,
    dct_matrix,
    lines_hz,
    mel_filters,
    mirrored,
    table,
    window_of,
)

if TYPE_CHECKING:
    from jaxtyping import Float

    from serbench_front_ends.mfcc import MfccParams

LN_FLOOR = 1e-6
"""Value added before a natural logarithm."""

DB_FLOOR = 1e-10
"""Least power that is converted to decibels: -100 dB."""


class Cepstrum(nn.Module):
    """A module from power spectra to the values of frames."""

    filters: Tensor
    dct: Tensor
    classes: Tensor

    def __init__(self, params: MfccParams) -> None:
        super().__init__()
        self.params = params
        lines = lines_hz(params.n_fft, params.rate_hz)
        filters = mel_filters(
            lines,
            params.n_mels,
            (params.f_min_hz, params.top_hz),
            params.mel_scale,
            equal_area=params.mel_norm == "slaney",
        )
        self.register_buffer("filters", table(filters))
        self.register_buffer("dct", table(dct_matrix(params.n_mels, params.coefficients or 1)))
        self.register_buffer("classes", table(chroma_filters(lines, params.chroma or 1)))

    def forward(self, power: Float[Tensor, "*N frames lines"]) -> Float[Tensor, "*N frames d"]:
        """The values of frames, from the power of each line of their spectra."""
        p = self.params
        values = self._logarithm((power if p.power == 2 else power.sqrt()) @ self.filters)
        if p.coefficients:
            values = values @ self.dct
        if p.clip is not None:
            values = values.clamp(-p.clip, p.clip)
        if p.chroma:
            chroma = power @ self.classes
            loudest = chroma.amax(dim=-1, keepdim=True)
            values = torch.cat([values, chroma / loudest.clamp_min(DB_FLOOR)], dim=-1)
        return values

    def _logarithm(self, mel: Float[Tensor, "*N frames mels"]) -> Float[Tensor, "*N frames mels"]:
        if self.params.log == "ln":
            return torch.log(mel + LN_FLOOR)
        values = mel.clamp_min(DB_FLOOR).log() * (10.0 / math.log(10.0))
        if self.params.top_db is None:
            return values
        return torch.maximum(values, values.amax(dim=(-2, -1), keepdim=True) - self.params.top_db)


class MfccFrames(nn.Module):
    """``Mfcc`` by the fast Fourier transform."""

    window: Tensor

    def __init__(self, params: MfccParams) -> None:
        super().__init__()
        self.params = params
        self.resample = Resample(params.rate_hz)
        self.cepstrum = Cepstrum(params)
        self.register_buffer("window", table(window_of(params.window_kind, params.window)))

    def forward(self, waveforms: Float[Tensor, "*N samples"]) -> Float[Tensor, "*N frames d"]:
        """See ``FrontEnd``."""
        p = self.params
        x = brought_to(scaled(self.resample(waveforms), p.scale), p.length)
        x = mirrored(x, p.window // 2)
        # One more sample, for the last frame if the window is odd.
        frames = nn.functional.pad(x, (0, p.window % 2)).unfold(-1, p.window, p.hop)
        return self.cepstrum(torch.fft.rfft(frames * self.window, p.n_fft).abs().square())


class ExportedMfcc(nn.Module):
    """``Mfcc`` as matrix products, without a Fourier transform; see ``FrontEnd.exported``."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, params: MfccParams) -> None:
        super().__init__()
        self.params = params
        self.framing = Framing(params.window, params.hop)
        self.cepstrum = Cepstrum(params)
        turns = np.outer(np.arange(params.window), np.arange(params.n_fft // 2 + 1)) / params.n_fft
        taps = window_of(params.window_kind, params.window)[:, None]
        self.register_buffer("cosines", table(taps * np.cos(2.0 * np.pi * turns)))
        self.register_buffer("sines", table(taps * np.sin(2.0 * np.pi * turns)))

    def forward(self, waveform: Float[Tensor, "N samples"]) -> Float[Tensor, "N frames d"]:
        """The values of all frames of whole utterances."""
        hop, reach, blocks = self.framing.hop, self.framing.reach, self.framing.blocks
        count = 1 + waveform.shape[1] // hop
        padded = nn.functional.pad(waveform[:, None], (reach, reach), mode="reflect")[:, 0]
        padded = nn.functional.pad(padded, (0, blocks * hop))
        return self._values(padded[:, : (count + blocks - 1) * hop])

    def frames(self, windows: Float[Tensor, "W samples"]) -> Float[Tensor, "W frames d"]:
        """The values of frames of audio that was cut with ``framing.reach`` samples on
        either side.
        """
        return self._values(windows)

    def _values(self, padded: Float[Tensor, "N padded"]) -> Float[Tensor, "N frames d"]:
        blocks = padded.unflatten(1, (-1, self.framing.hop))
        count = blocks.shape[1] - self.framing.blocks + 1
        pieces = [blocks[:, n : n + count] for n in range(self.framing.blocks)]
        frames = torch.cat(pieces, dim=2)[..., : self.framing.window]
        return self.cepstrum((frames @ self.cosines).square() + (frames @ self.sines).square())


def scaled(
    waveforms: Float[Tensor, "*N samples"], scale: Literal["none", "p99.9", "unit"]
) -> Float[Tensor, "*N samples"]:
    """Waveforms scaled as ``MfccParams.scale`` says; digital silence is not changed."""
    if scale == "none":
        return waveforms
    if scale == "unit":
        centred = waveforms - waveforms.mean(dim=-1, keepdim=True)
        deviation = centred.square().mean(dim=-1, keepdim=True).sqrt()
        return centred / torch.where(deviation > 0, deviation, 1.0)
    magnitudes: NDArray[np.float32] = waveforms.abs().cpu().numpy()
    loud = torch.from_numpy(np.quantile(magnitudes, 0.999, axis=-1, keepdims=True)).to(waveforms)
    return (waveforms / torch.where(loud > 0, loud, 1.0)).clamp(-1.0, 1.0)
