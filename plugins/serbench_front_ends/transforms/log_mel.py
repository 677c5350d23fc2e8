"""The front end ``log-mel`` as a module; see ``serbench_front_ends.log_mel``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import SAMPLE_RATE_HZ, import_torchaudio
from serbench_front_ends.transforms.products import MelProducts

if TYPE_CHECKING:
    from jaxtyping import Float

    from serbench_front_ends.log_mel import LogMelParams

LOG_FLOOR = 1e-6
"""Value added to mel power before the logarithm: 60 dB below a mel power of 1."""


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
    """``LogMelFrames`` as matrix products."""

    def level(self, power: Tensor) -> Tensor:
        """Natural logarithm of mel power."""
        return torch.log(power + LOG_FLOOR)


def mel_power(
    transform: nn.Module, waveforms: Float[Tensor, "*N samples"]
) -> Float[Tensor, "*N frames mels"]:
    """Mel power of centred frames, ``1 + samples // hop`` of them.

    If audio is too short to be mirrored at its ends, zeros are added to it first.
    """
    samples, hop = waveforms.shape[-1], int(transform.hop_length)  # pyright: ignore[reportArgumentType]
    least = int(transform.n_fft) // 2 + 1  # pyright: ignore[reportArgumentType]
    filled = F.pad(waveforms, (0, max(0, least - samples)))
    return transform(filled).transpose(-1, -2)[..., : 1 + samples // hop, :]
