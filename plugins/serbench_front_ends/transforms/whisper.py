"""The front end ``whisper`` as a module; see ``serbench_front_ends.whisper``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor, nn

from serbench.api import SAMPLE_RATE_HZ, import_torchaudio
from serbench_front_ends.transforms.log_mel import mel_power
from serbench_front_ends.transforms.products import MelProducts

if TYPE_CHECKING:
    from jaxtyping import Float

    from serbench_front_ends.whisper import WhisperParams

WHISPER_FLOOR = 1e-10
"""Least mel power of Whisper."""


class WhisperFrames(nn.Module):
    """Whisper's log-mel before its clamp (Radford et al., ICML 2023).

    ``(log10(max(mel power, 1e-10)) + 4) / 4``, in ``1 + samples // 160`` frames. Whisper then
    raises values that are more than 2 below the utterance's maximum to that limit (the clamp), and
    drops the last frame. A student that needs the clamp applies it to its own window, so that no
    frame depends on a whole utterance.
    """

    def __init__(self, params: WhisperParams) -> None:
        super().__init__()
        self.transform = import_torchaudio().transforms.MelSpectrogram(
            sample_rate=SAMPLE_RATE_HZ,
            n_fft=400,
            hop_length=160,
            f_min=0.0,
            f_max=8000.0,
            n_mels=params.n_mels,
            power=2.0,
            norm="slaney",
            mel_scale="slaney",
        )

    def forward(self, waveforms: Float[Tensor, "*N samples"]) -> Float[Tensor, "*N frames mels"]:
        """See the class."""
        power = mel_power(self.transform, waveforms)
        return (power.clamp_min(WHISPER_FLOOR).log10() + 4.0) / 4.0


class WhisperProducts(MelProducts):
    """``WhisperFrames`` as matrix products."""

    def level(self, power: Tensor) -> Tensor:
        """The logarithm to base 10 of mel power, divided by 4, plus 1."""
        return (power.clamp_min(WHISPER_FLOOR).log() / (4.0 * np.log(10.0))) + 1.0
