"""Log-mel: the natural logarithm of mel power."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import SAMPLE_RATE_HZ, Framing, FrontEnd, FrontEndParams, import_torchaudio
from serbench_front_ends.products import MelProducts, halving

if TYPE_CHECKING:
    from jaxtyping import Float

LOG_FLOOR = 1e-6
"""Added to mel power before the logarithm: 60 dB below a mel power of 1."""


class LogMelParams(FrontEndParams):
    """Of ``LogMel``."""

    deltas: bool = True
    n_mels: PositiveInt = 40
    window_s: PositiveFloat = 0.025
    hop_s: PositiveFloat = 0.010
    f_min_hz: NonNegativeFloat = 20.0
    f_max_hz: PositiveFloat = 7600.0

    @model_validator(mode="after")
    def _can_be_computed(self) -> Self:
        if not self.f_min_hz < self.f_max_hz <= SAMPLE_RATE_HZ / 2:
            raise ValueError(
                f"f_min_hz = {self.f_min_hz:g} and f_max_hz = {self.f_max_hz:g}: the first must be "
                "below the second, and that at most 8000"
            )
        if min(self.window_s, self.hop_s) * SAMPLE_RATE_HZ < 1:
            raise ValueError("window_s and hop_s must be at least one sample, 0.0000625 s")
        return self


class LogMel(FrontEnd):
    """Log-mel: 40 filters, 25 ms window, 10 ms hop, 20–7600 Hz; with Δ and ΔΔ."""

    name = "log-mel"
    Params = LogMelParams
    params: LogMelParams

    @property
    def width(self) -> int:
        """Mel filters."""
        return self.params.n_mels

    @property
    def framing(self) -> Framing:
        """See ``FrontEnd``."""
        window, hop = self.params.window_s, self.params.hop_s
        return Framing(round(window * SAMPLE_RATE_HZ), round(hop * SAMPLE_RATE_HZ))

    @property
    def gain(self) -> Sequence[float]:
        """1 dB of power in natural logarithms, for each filter."""
        return [float(np.log(10.0) / 10.0)] * self.width

    @property
    def bands(self) -> bool:
        """See ``FrontEnd``."""
        return True

    @property
    def not_exported(self) -> str:
        """Why not, where a frame cannot be halved."""
        return halving(self.framing)

    def build(self) -> LogMelFrames:
        """Waveforms ``(*N, samples)`` to ``(*N, 1 + samples // hop, n_mels)``."""
        return LogMelFrames(self.params)

    def exported(self) -> nn.Module:
        """See ``FrontEnd``."""
        if self.not_exported:
            return super().exported()
        return LogMelProducts(self.framing, self.build().transform)


class LogMelFrames(nn.Module):
    """torchaudio's mel spectrogram, natural logarithm: ``1 + samples // hop`` frames."""

    def __init__(self, params: LogMelParams) -> None:
        super().__init__()
        window = round(params.window_s * SAMPLE_RATE_HZ)
        self.transform = import_torchaudio().transforms.MelSpectrogram(
            sample_rate=SAMPLE_RATE_HZ,
            n_fft=1 << (window - 1).bit_length(),
            win_length=window,
            hop_length=round(params.hop_s * SAMPLE_RATE_HZ),
            f_min=params.f_min_hz,
            f_max=params.f_max_hz,
            n_mels=params.n_mels,
            power=2.0,
        )

    def forward(self, waveforms: Float[Tensor, "*N samples"]) -> Float[Tensor, "*N frames mels"]:
        """See the class."""
        return torch.log(mel_power(self.transform, waveforms) + LOG_FLOOR)


class LogMelProducts(MelProducts):
    """The same in matrix products."""

    def level(self, power: Tensor) -> Tensor:
        """Natural logarithm of mel power."""
        return torch.log(power + LOG_FLOOR)


def mel_power(
    transform: nn.Module, waveforms: Float[Tensor, "*N samples"]
) -> Float[Tensor, "*N frames mels"]:
    """Mel power of centred frames, ``1 + samples // hop`` of them.

    Audio that is too short to be mirrored at its ends is filled up with zeros first.
    """
    samples, hop = waveforms.shape[-1], int(transform.hop_length)  # pyright: ignore[reportArgumentType]
    least = int(transform.n_fft) // 2 + 1  # pyright: ignore[reportArgumentType]
    filled = F.pad(waveforms, (0, max(0, least - samples)))
    return transform(filled).transpose(-1, -2)[..., : 1 + samples // hop, :]
