"""``mfcc``: mel-frequency cepstral coefficients, or mel bands without the cosine transform."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel, Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from serbench.api import SAMPLE_RATE_HZ, Framing, FrontEnd, FrontEndParams, PluginError

if TYPE_CHECKING:
    from torch import nn

MelScale = Literal["slaney", "htk"]
WindowKind = Literal["hann", "hamming"]


class MfccParams(FrontEndParams):
    """Settings of ``mfcc``. Window, hop and n_fft are in samples at ``rate_hz``. The defaults are
    librosa's, at 16 kHz and with windows of 25 ms every 10 ms.
    """

    rate_hz: int = Field(default=SAMPLE_RATE_HZ, ge=4000, le=48_000)
    """Sample rate that audio is resampled to first."""
    length_s: PositiveFloat | None = None
    """Length to which each utterance is brought, in seconds: only its middle is used, or zeros are
    added on both sides. None: the length is not changed.
    """
    scale: Literal["none", "p99.9", "unit"] = "none"
    """Scaling. ``p99.9``: the waveform is divided by the 99.9th percentile of |x|, and clipped to
    ±1. ``unit``: mean 0 and deviation 1.
    """
    window: PositiveInt = 400
    """Window, in samples."""
    hop: PositiveInt = 160
    """Distance from frame to frame, in samples."""
    n_fft: PositiveInt = 2048
    """Number of points of the Fourier transform; the window is in the middle, with zeros
    around it.
    """
    window_kind: WindowKind = "hann"
    power: Literal[1, 2] = 2
    """Exponent of the spectrum: 1 for magnitudes, 2 for power."""
    n_mels: PositiveInt = 128
    """Number of mel filters."""
    f_min_hz: NonNegativeFloat = 0.0
    f_max_hz: PositiveFloat | None = None
    """Highest frequency of the mel filters; None: half of ``rate_hz``."""
    mel_scale: MelScale = "slaney"
    """``slaney``: linear below 1 kHz; ``htk``: 2595 log10(1 + f / 700)."""
    mel_norm: Literal["slaney", "none"] = "slaney"
    """``slaney``: filters of equal area; ``none``: of height 1."""
    log: Literal["db", "ln"] = "db"
    """``db``: 10 log10(max(x, 1e-10)); ``ln``: ln(x + 1e-6)."""
    top_db: PositiveFloat | None = 80.0
    """With ``db``: values that are more than this below the largest value of the utterance are
    raised to that limit.
    """
    coefficients: int = Field(default=20, ge=0)
    """Number of coefficients of the orthonormal DCT-II, from the 0th on; 0: no DCT, so that the mel
    bands themselves are used.
    """
    clip: PositiveFloat | None = None
    """Largest absolute value, to which values are clipped; None: no clipping."""
    chroma: int = Field(default=0, ge=0, le=48)
    """Number of pitch classes to append; they are scaled so that the largest of each frame is 1."""

    @model_validator(mode="after")
    def _fits(self) -> MfccParams:
        if self.n_fft < self.window:
            raise ValueError(f"n_fft is {self.n_fft}, but must be at least window, {self.window}")
        if self.coefficients > self.n_mels:
            raise ValueError(
                f"{self.coefficients} coefficients need at least as many mel bands, not "
                f"{self.n_mels}: lower coefficients or raise n_mels"
            )
        if not self.f_min_hz < self.top_hz <= self.rate_hz / 2:
            raise ValueError(
                f"mel bands from {self.f_min_hz:g} to {self.top_hz:g} Hz are not between 0 and "
                f"half of rate_hz, {self.rate_hz / 2:g} Hz"
            )
        if self.log == "db" and self.power == 1:
            raise ValueError('log = "db" needs power: set power = 2')
        return self

    @property
    def top_hz(self) -> float:
        """``f_max_hz``, or half of ``rate_hz``."""
        return self.rate_hz / 2 if self.f_max_hz is None else self.f_max_hz

    @property
    def length(self) -> int | None:
        """Number of samples at ``rate_hz`` to which each utterance is brought; None: it
        is not changed.
        """
        return None if self.length_s is None else max(1, round(self.length_s * self.rate_hz))


class Mfcc(FrontEnd):
    """MFCC (Davis and Mermelstein, 1980), their mel bands alone, or either with chroma."""

    name: ClassVar[str] = "mfcc"
    Params: ClassVar[type[BaseModel]] = MfccParams
    params: MfccParams

    @property
    def width(self) -> int:
        """Number of coefficients (or mel bands) and pitch classes."""
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
        """Change of each value for 1 dB. All mel bands change alike, so of the coefficients only
        the 0th changes. With a scaled waveform, nothing changes.
        """
        p = self.params
        step = 1.0 if p.log == "db" else p.power * math.log(10.0) / 20.0
        if p.scale != "none":
            step = 0.0
        if not p.coefficients:
            return [step] * p.n_mels + [0.0] * p.chroma
        return [step * p.n_mels**0.5] + [0.0] * (self.width - 1)

    @property
    def bands(self) -> bool:
        """Whether values are bands: mel bands are; coefficients and pitch classes are not."""
        return not self.params.coefficients and not self.params.chroma

    @property
    def not_exported(self) -> str:
        """Reason why it cannot be exported, if a frame depends on more than its
        window; see ``FrontEnd``.
        """
        p = self.params
        if p.rate_hz != SAMPLE_RATE_HZ:
            return f"it resamples to {p.rate_hz} Hz"
        if p.length_s is not None:
            return "it makes all utterances equally long (length_s)"
        if p.scale != "none":
            return f'it scales whole utterances (scale = "{p.scale}")'
        if p.log == "db" and p.top_db is not None:
            return "it looks for an utterance's loudest value (top_db)"
        if p.window % 2 or p.n_fft % 2:
            return "its window and n_fft must be even"
        return ""

    def build(self) -> nn.Module:
        """See ``FrontEnd``."""
        from serbench_front_ends.transforms.mfcc import MfccFrames

        return MfccFrames(self.params)

    def exported(self) -> nn.Module:
        """See ``FrontEnd``."""
        from serbench_front_ends.transforms.mfcc import ExportedMfcc

        if self.not_exported:
            raise PluginError(f"front end {self.name} cannot be exported: {self.not_exported}")
        return ExportedMfcc(self.params)
