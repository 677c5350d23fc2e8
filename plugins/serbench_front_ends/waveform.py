"""The samples themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import SAMPLE_RATE_HZ, Framing, FrontEnd, FrontEndParams

if TYPE_CHECKING:
    from jaxtyping import Float


class WaveformParams(FrontEndParams):
    """Of ``Waveform``: neither normalised nor with deltas."""

    normalise: Literal["none"] = "none"  # pyright: ignore[reportIncompatibleVariableOverride]
    deltas: Literal[False] = False  # pyright: ignore[reportIncompatibleVariableOverride]
    hop_s: float = Field(default=0.010, ge=1 / SAMPLE_RATE_HZ)


class Waveform(FrontEnd):
    """The samples themselves, 10 ms of them in a frame."""

    name = "waveform"
    Params = WaveformParams
    params: WaveformParams

    @property
    def width(self) -> int:
        """Samples of a frame."""
        return round(self.params.hop_s * SAMPLE_RATE_HZ)

    @property
    def framing(self) -> Framing:
        """See ``FrontEnd``."""
        return Framing(window=self.width, hop=self.width, centred=False)

    @property
    def gain(self) -> Literal["scale"]:
        """See ``FrontEnd``."""
        return "scale"

    def build(self) -> Samples:
        """Waveforms ``(*N, samples)`` to ``(*N, ceil(samples / hop), hop)``."""
        return Samples(self.width)

    def exported(self) -> nn.Module:
        """See ``FrontEnd``."""
        return self.build()


class Samples(nn.Module):
    """Consecutive samples: frames of a hop each, the last one filled up with zeros.

    There are ``ceil(samples / hop)`` of them, so that no sample is lost, an utterance shorter than
    a frame is one frame, and a window of the evaluation never reaches beyond the last frame.
    """

    def __init__(self, hop: int) -> None:
        super().__init__()
        self.hop = hop

    def forward(self, waveforms: Float[Tensor, "*N samples"]) -> Float[Tensor, "*N frames hop"]:
        """See the class."""
        count = (waveforms.shape[-1] + self.hop - 1) // self.hop
        # Filled up and cut, because an exporter cannot follow a remainder.
        filled = F.pad(waveforms, (0, self.hop - 1))[..., : count * self.hop]
        return filled.unflatten(-1, (-1, self.hop))

    def frames(self, windows: Float[Tensor, "W samples"]) -> Float[Tensor, "W frames hop"]:
        """Windows of whole frames to these frames."""
        return windows.unflatten(1, (-1, self.hop))
