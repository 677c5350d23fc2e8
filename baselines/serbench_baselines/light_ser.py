"""The `light-ser` student: LIGHT-SERNET, a small convolutional network over MFCC.

Aftab et al., "LIGHT-SERNET: A lightweight fully convolutional neural network for speech emotion
recognition", ICASSP 2022; sizes are those of the authors' code. Three parallel convolutions go
along time, along coefficients and along both. Five more follow, and then the mean over the map.

Decided here: frames are around every 256th sample from the first to the last (188 in 3 s; the
authors have only the 184 that are inside); the level is determined before the middle 3 s are cut
out; convolutions are padded with zeros so that they keep the size; a mean at the edge is over the
values inside; weights and the constants of batch normalisation have PyTorch's initial values.
Padding after an utterance is zero before each convolution and is not part of any mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from serbench.api import Hears, Params, Student, StudentShape

if TYPE_CHECKING:
    from torch import nn

HEARD: Mapping[str, object] = MappingProxyType(
    {
        "rate_hz": 16_000,
        "length_s": 3.0,
        "scale": "p99.9",
        "window": 1024,
        "hop": 256,
        "n_fft": 1024,
        "power": 1,
        "n_mels": 128,
        "f_min_hz": 80.0,
        "f_max_hz": 7600.0,
        "mel_scale": "htk",
        "mel_norm": "none",
        "log": "ln",
        "coefficients": 40,
        "clip": 10.0,
        "normalise": "none",
    }
)
"""40 MFCC within ±10 of a waveform that is scaled first, with a length of 3 s as on EmoDB; the
authors use 3 or 7 s on IEMOCAP (``front_end.length_s``)."""


class LightSerParams(Params):
    """Sizes of LIGHT-SERNET."""

    paths: PositiveInt = 32
    """Filters of each of the three parallel convolutions."""
    filters: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (
        64, 96, 128, 160, 320,
    )  # fmt: skip
    """Filters of the five convolutions after them; the last one is 1 × 1."""
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)


class LightSer(Student):
    """LIGHT-SERNET (Aftab et al., 2022)."""

    name = "light-ser"
    Params = LightSerParams
    params: LightSerParams

    @property
    def hears(self) -> Hears:
        """40 MFCC at 16 kHz, without normalisation by mean and deviation."""
        return Hears("mfcc", HEARD)

    def build(self, shape: StudentShape) -> nn.Module:
        """A new network for ``shape``."""
        from serbench_baselines.networks.light_ser import LightSerNetwork

        return LightSerNetwork(self.params, shape)
