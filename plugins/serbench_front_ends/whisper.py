"""``whisper``: the log-mel of Whisper's encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from serbench.api import Framing, FrontEnd, FrontEndParams

if TYPE_CHECKING:
    from torch import nn


class WhisperParams(FrontEndParams):
    """Settings of ``Whisper``."""

    # Whisper's values have a fixed range.
    normalise: Literal["partition", "utterance", "none"] = "none"  # pyright: ignore[reportIncompatibleVariableOverride]
    n_mels: Literal[80, 128] = 80


class Whisper(FrontEnd):
    """Log-mel as Whisper's encoder receives it: 80 or 128 filters, 25 ms window, 10 ms hop."""

    name = "whisper"
    Params = WhisperParams
    params: WhisperParams

    @property
    def width(self) -> int:
        """Number of mel filters."""
        return self.params.n_mels

    @property
    def framing(self) -> Framing:
        """See ``FrontEnd``."""
        return Framing(window=400, hop=160)

    @property
    def gain(self) -> Sequence[float]:
        """Change of each filter's value for 1 dB of power, in a quarter of its logarithm
        to base 10.
        """
        return [0.1 / 4.0] * self.width

    @property
    def bands(self) -> bool:
        """See ``FrontEnd``."""
        return True

    def build(self) -> nn.Module:
        """A module from waveforms ``(*N, samples)`` to ``(*N, 1 + samples // 160, n_mels)``."""
        from serbench_front_ends.transforms.whisper import WhisperFrames

        return WhisperFrames(self.params)

    def exported(self) -> nn.Module:
        """See ``FrontEnd``."""
        from serbench_front_ends.transforms.whisper import WhisperProducts

        return WhisperProducts(self.framing, self.build().transform)
