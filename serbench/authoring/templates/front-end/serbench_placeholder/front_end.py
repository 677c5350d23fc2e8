"""The front end ``placeholder``: its name, its parameters, its frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field
from serbench.api import Framing, FrontEnd, FrontEndParams

if TYPE_CHECKING:
    from torch import nn

BANDS = 8


class PlaceholderParams(FrontEndParams):
    """Parameters for ``--set front_end.NAME=VALUE``; ``normalise`` and ``deltas`` are inherited."""

    hop: int = Field(default=320, ge=64)
    """Samples per frame and per hop: 20 ms."""


class Placeholder(FrontEnd):
    """Levels of eight frequency bands, in decibels."""

    name = "placeholder"
    Params = PlaceholderParams
    params: PlaceholderParams

    @property
    def width(self) -> int:
        """Number of values per frame."""
        return BANDS

    @property
    def framing(self) -> Framing:
        """Frames without overlap; the last one is padded with zeros."""
        return Framing(window=self.params.hop, hop=self.params.hop, centred=False)

    @property
    def gain(self) -> Sequence[float]:
        """How much each value rises if audio is 1 dB louder; training may then change the level."""
        return [1.0] * BANDS

    @property
    def bands(self) -> bool:
        """Whether neighbouring values are neighbouring frequencies; training may then mask some."""
        return True

    @property
    def not_exported(self) -> str:
        """Why ``serbench export`` cannot use it."""
        return "its graph has not been written yet"

    def build(self) -> nn.Module:
        """A module from waveforms ``(*N, samples)`` at 16 kHz to ``(*N, frames, 8)``."""
        from serbench_placeholder.frames import Frames

        return Frames(self.params.hop, BANDS)
