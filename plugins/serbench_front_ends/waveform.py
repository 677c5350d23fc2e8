"""``waveform``: raw samples as frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from serbench.api import SAMPLE_RATE_HZ, Framing, FrontEnd, FrontEndParams

if TYPE_CHECKING:
    from torch import nn


class WaveformParams(FrontEndParams):
    """Settings of ``Waveform``: not normalised, without deltas."""

    normalise: Literal["none"] = "none"  # pyright: ignore[reportIncompatibleVariableOverride]
    deltas: Literal[False] = False  # pyright: ignore[reportIncompatibleVariableOverride]
    hop_s: float = Field(default=0.010, ge=1 / SAMPLE_RATE_HZ)


class Waveform(FrontEnd):
    """Raw samples, in frames of 10 ms."""

    name = "waveform"
    Params = WaveformParams
    params: WaveformParams

    @property
    def width(self) -> int:
        """Number of samples of a frame."""
        return round(self.params.hop_s * SAMPLE_RATE_HZ)

    @property
    def framing(self) -> Framing:
        """See ``FrontEnd``."""
        return Framing(window=self.width, hop=self.width, centred=False)

    @property
    def gain(self) -> Literal["scale"]:
        """See ``FrontEnd``."""
        return "scale"

    def build(self) -> nn.Module:
        """A module from waveforms ``(*N, samples)`` to ``(*N, ceil(samples / hop), hop)``."""
        from serbench_front_ends.transforms.waveform import Samples

        return Samples(self.width)

    def exported(self) -> nn.Module:
        """See ``FrontEnd``."""
        return self.build()
