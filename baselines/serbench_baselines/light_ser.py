"""The `light-ser` student: LIGHT-SERNET, a small convolutional network over MFCC.

Aftab et al., "LIGHT-SERNET: A lightweight fully convolutional neural network for speech emotion
recognition", ICASSP 2022; sizes after the authors' code. Three convolutions side by side look
along time, along coefficients and along both; five more follow, and the mean over what is left.

Decided here: frames around every 256th sample from the first to the last (188 of 3 s; the authors'
frames lie within them, 184); the level is taken before the middle 3 s are; convolutions are padded
with zeros to keep their size; a mean at the edge is over what lies inside; weights and the
constants of batch normalisation are those that PyTorch starts with. Padding behind an utterance is
zero before each convolution and is counted in no mean.
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
"""40 MFCC within ±10 of a waveform that is scaled first, of 3 s as on EmoDB; the authors take 3 or
7 s of IEMOCAP (``front_end.length_s``)."""


class LightSerParams(Params):
    """Sizes of LIGHT-SERNET."""

    paths: PositiveInt = 32
    """Filters of each of the three convolutions side by side."""
    filters: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (
        64, 96, 128, 160, 320,
    )  # fmt: skip
    """Of the five after them; the last is 1 × 1."""
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)


class LightSer(Student):
    """LIGHT-SERNET (Aftab et al., 2022)."""

    name = "light-ser"
    Params = LightSerParams
    params: LightSerParams

    @property
    def hears(self) -> Hears:
        """40 MFCC at 16 kHz, as they are: no mean or deviation is taken off."""
        return Hears("mfcc", HEARD)

    def build(self, shape: StudentShape) -> nn.Module:
        """A fresh network for ``shape``."""
        from serbench_baselines.networks.light_ser import LightSerNetwork

        return LightSerNetwork(self.params, shape)
