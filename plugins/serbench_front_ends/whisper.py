"""The log-mel of Whisper's encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from torch import Tensor, nn

from serbench.api import SAMPLE_RATE_HZ, Framing, FrontEnd, FrontEndParams, import_torchaudio
from serbench_front_ends.log_mel import mel_power
from serbench_front_ends.products import MelProducts

if TYPE_CHECKING:
    from jaxtyping import Float

WHISPER_FLOOR = 1e-10
"""Whisper's least mel power."""


class WhisperParams(FrontEndParams):
    """Of ``Whisper``."""

    # Whisper's values have a range of their own.
    normalise: Literal["partition", "utterance", "none"] = "none"  # pyright: ignore[reportIncompatibleVariableOverride]
    n_mels: Literal[80, 128] = 80


class Whisper(FrontEnd):
    """Log-mel as Whisper's encoder hears it: 80 or 128 filters, 25 ms window, 10 ms hop."""

    name = "whisper"
    Params = WhisperParams
    params: WhisperParams

    @property
    def width(self) -> int:
        """Mel filters."""
        return self.params.n_mels

    @property
    def framing(self) -> Framing:
        """See ``FrontEnd``."""
        return Framing(window=400, hop=160)

    @property
    def gain(self) -> Sequence[float]:
        """1 dB of power in a quarter of its logarithm to base 10, for each filter."""
        return [0.1 / 4.0] * self.width

    @property
    def bands(self) -> bool:
        """See ``FrontEnd``."""
        return True

    def build(self) -> WhisperFrames:
        """Waveforms ``(*N, samples)`` to ``(*N, 1 + samples // 160, n_mels)``."""
        return WhisperFrames(self.params)

    def exported(self) -> nn.Module:
        """See ``FrontEnd``."""
        return WhisperProducts(self.framing, self.build().transform)


class WhisperFrames(nn.Module):
    """Whisper's log-mel before its clamp (Radford et al., ICML 2023).

    ``(log10(max(mel power, 1e-10)) + 4) / 4``, in ``1 + samples // 160`` frames. Whisper
    then raises all that is more than 2 below the utterance's maximum to there, and drops the last
    frame; a student that needs the clamp applies it to its own window, so that no frame depends on
    a whole utterance.
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
    """The same in matrix products."""

    def level(self, power: Tensor) -> Tensor:
        """A quarter of the logarithm to base 10 of mel power, plus 1."""
        return (power.clamp_min(WHISPER_FLOOR).log() / (4.0 * np.log(10.0))) + 1.0
