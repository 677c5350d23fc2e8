"""``mfcc``: mel-frequency cepstral coefficients, or mel bands without the cosine transform."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn

from serbench.api import SAMPLE_RATE_HZ, Framing, FrontEnd, FrontEndParams, PluginError
from serbench_front_ends.spectra import (
    MelScale,
    Resample,
    WindowKind,
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

LN_FLOOR = 1e-6
"""Added before a natural logarithm."""
DB_FLOOR = 1e-10
"""The least power that is put in decibels: -100 dB."""


class MfccParams(FrontEndParams):
    """Window, hop and n_fft are samples at ``rate_hz``. The defaults are librosa's, at 16 kHz and
    with windows of 25 ms every 10 ms.
    """

    rate_hz: int = Field(default=SAMPLE_RATE_HZ, ge=4000, le=48_000)
    """What audio is resampled to first."""
    length_s: PositiveFloat | None = None
    """Seconds that each utterance is brought to: its middle, or zeros on both sides."""
    scale: Literal["none", "p99.9", "unit"] = "none"
    """``p99.9``: the waveform over the 99.9th percentile of |x|, clipped to ±1.
    ``unit``: mean 0 and deviation 1."""
    window: PositiveInt = 400
    """Samples of a frame."""
    hop: PositiveInt = 160
    """Samples from frame to frame."""
    n_fft: PositiveInt = 2048
    """Points of the Fourier transform; the window is in their middle, with zeros around it."""
    window_kind: WindowKind = "hann"
    power: Literal[1, 2] = 2
    """1: magnitudes; 2: power."""
    n_mels: PositiveInt = 128
    """Mel filters."""
    f_min_hz: NonNegativeFloat = 0.0
    f_max_hz: PositiveFloat | None = None
    """None: half of ``rate_hz``."""
    mel_scale: MelScale = "slaney"
    """``slaney``: linear below 1 kHz; ``htk``: 2595 log10(1 + f / 700)."""
    mel_norm: Literal["slaney", "none"] = "slaney"
    """``slaney``: filters of equal area; ``none``: of height 1."""
    log: Literal["db", "ln"] = "db"
    """``db``: 10 log10(max(x, 1e-10)); ``ln``: ln(x + 1e-6)."""
    top_db: PositiveFloat | None = 80.0
    """Of ``db``: what is more than this below the utterance's loudest value is raised to there."""
    coefficients: int = Field(default=20, ge=0)
    """Of the orthonormal DCT-II, from the 0th on; 0: no DCT, the mel bands themselves."""
    clip: PositiveFloat | None = None
    """Values are clipped to ± this."""
    chroma: int = Field(default=0, ge=0, le=48)
    """Pitch classes that are added as so many values more, each frame's largest being 1."""

    @model_validator(mode="after")
    def _fits(self) -> MfccParams:
        if self.n_fft < self.window:
            raise ValueError(f"n_fft is {self.n_fft}, and must be at least window, {self.window}")
        if self.coefficients > self.n_mels:
            raise ValueError(
                f"{self.n_mels} mel bands have no {self.coefficients} coefficients: "
                "lower coefficients or raise n_mels"
            )
        if not self.f_min_hz < self.top_hz <= self.rate_hz / 2:
            raise ValueError(
                f"mel bands from {self.f_min_hz:g} to {self.top_hz:g} Hz do not lie between 0 and "
                f"half of rate_hz, {self.rate_hz / 2:g} Hz"
            )
        if self.log == "db" and self.power == 1:
            raise ValueError('log = "db" is of power: set power = 2')
        return self

    @property
    def top_hz(self) -> float:
        """``f_max_hz``, or half of ``rate_hz``."""
        return self.rate_hz / 2 if self.f_max_hz is None else self.f_max_hz

    @property
    def length(self) -> int | None:
        """Samples at ``rate_hz`` that each utterance is brought to."""
        return None if self.length_s is None else max(1, round(self.length_s * self.rate_hz))


class Mfcc(FrontEnd):
    """MFCC (Davis and Mermelstein, 1980), their mel bands alone, or either with chroma."""

    name: ClassVar[str] = "mfcc"
    Params: ClassVar[type[BaseModel]] = MfccParams
    params: MfccParams

    @property
    def width(self) -> int:
        """Coefficients (or mel bands) and pitch classes."""
        return (self.params.coefficients or self.params.n_mels) + self.params.chroma

    @property
    def framing(self) -> Framing:
        """Frames around every ``hop``-th sample at ``rate_hz``."""
        p = self.params
        return Framing(p.window, p.hop, rate_hz=p.rate_hz, length=p.length)

    @property
    def length_s(self) -> float | None:
        """See ``MfccParams``."""
        return self.params.length_s

    @property
    def gain(self) -> Sequence[float]:
        """Level moves mel bands alike, so the 0th coefficient alone; a scaled waveform, none."""
        p = self.params
        step = 1.0 if p.log == "db" else p.power * math.log(10.0) / 20.0
        if p.scale != "none":
            step = 0.0
        if not p.coefficients:
            return [step] * p.n_mels + [0.0] * p.chroma
        return [step * p.n_mels**0.5] + [0.0] * (self.width - 1)

    @property
    def bands(self) -> bool:
        """Mel bands are; coefficients and pitch classes are not."""
        return not self.params.coefficients and not self.params.chroma

    @property
    def not_exported(self) -> str:
        """Only what a window alone can tell is exported; see ``FrontEnd``."""
        p = self.params
        if p.rate_hz != SAMPLE_RATE_HZ:
            return f"it resamples to {p.rate_hz} Hz"
        if p.length_s is not None:
            return "it brings whole utterances to one length (length_s)"
        if p.scale != "none":
            return f'it scales whole utterances (scale = "{p.scale}")'
        if p.log == "db" and p.top_db is not None:
            return "it looks for an utterance's loudest value (top_db)"
        if p.window % 2 or p.n_fft % 2:
            return "its window and n_fft must be even"
        return ""

    def build(self) -> nn.Module:
        """See ``FrontEnd``."""
        return MfccFrames(self.params)

    def exported(self) -> nn.Module:
        """See ``FrontEnd``."""
        if self.not_exported:
            raise PluginError(f"front end {self.name} cannot be exported: {self.not_exported}")
        return ExportedMfcc(self.params)


class Cepstrum(nn.Module):
    """Power spectra to the values of frames."""

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
        """Of the power of each line."""
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
        # One sample more, for the last frame of an odd window.
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
        """Of whole utterances."""
        hop, reach, blocks = self.framing.hop, self.framing.reach, self.framing.blocks
        count = 1 + waveform.shape[1] // hop
        padded = nn.functional.pad(waveform[:, None], (reach, reach), mode="reflect")[:, 0]
        padded = nn.functional.pad(padded, (0, blocks * hop))
        return self._values(padded[:, : (count + blocks - 1) * hop])

    def frames(self, windows: Float[Tensor, "W samples"]) -> Float[Tensor, "W frames d"]:
        """Of audio that was cut with ``framing.reach`` samples on either side."""
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
    """See ``MfccParams.scale``; digital silence stays as it is."""
    if scale == "none":
        return waveforms
    if scale == "unit":
        centred = waveforms - waveforms.mean(dim=-1, keepdim=True)
        deviation = centred.square().mean(dim=-1, keepdim=True).sqrt()
        return centred / torch.where(deviation > 0, deviation, 1.0)
    magnitudes: NDArray[np.float32] = waveforms.abs().cpu().numpy()
    loud = torch.from_numpy(np.quantile(magnitudes, 0.999, axis=-1, keepdims=True)).to(waveforms)
    return (waveforms / torch.where(loud > 0, loud, 1.0)).clamp(-1.0, 1.0)
