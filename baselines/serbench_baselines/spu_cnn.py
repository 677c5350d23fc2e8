"""The `spu-cnn` student: convolutions of four widths over time, and statistics of each filter.

Peng et al., "Efficient speech emotion recognition using multi-scale CNN and attention", ICASSP
2021, its audio branch. 0.79 M parameters: 788,228 with four classes.

Published: 32 MFCC with Δ and ΔΔ (96 values), 7.5 s; 128 filters each of 5, 7, 9 and 11 frames,
ReLU; largest value, mean and deviation of each filter over time; dropout 0.3; Adam at 5e-4,
batches of 64, gradients clipped at norm 1. The hidden layer of 256 is from a third party.

Not published, and decided here: no text and no x-vector, because only audio is compared; a step of
one frame, with zeros at the ends; dropout on the statistics, ReLU on the hidden layer; 100 epochs.
If an utterance is shorter than 7.5 s, its statistics are of its own frames, without the zeros after
them. The MFCC are from 128 mel bands; each has mean 0 and deviation 1 over the training partition;
Δ and ΔΔ are computed after that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from serbench.api import Hears, Params, Student, StudentShape

if TYPE_CHECKING:
    from torch import nn

HEARD = {"window": 400, "hop": 160, "n_fft": 512, "coefficients": 32, "deltas": True}
"""Parameters of the front end ``mfcc``."""


class SpuCnnParams(Params):
    """Sizes of SPU+CNN."""

    kernels: tuple[PositiveInt, ...] = Field(default=(5, 7, 9, 11), min_length=1)
    """Number of frames that each kind of filter covers."""
    filters: PositiveInt = 128
    """Number of filters of each kind."""
    hidden: PositiveInt = 256
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)


class SpuCnn(Student):
    """SPU+CNN (Peng et al., 2021)."""

    name = "spu-cnn"
    Params = SpuCnnParams
    params: SpuCnnParams

    @property
    def hears(self) -> Hears:
        """32 MFCC with Δ and ΔΔ as three channels."""
        return Hears("mfcc", HEARD)

    def build(self, shape: StudentShape) -> nn.Module:
        """A new network for ``shape``."""
        from serbench_baselines.networks.spu_cnn import SpuCnnNetwork

        return SpuCnnNetwork(self.params, shape)
