"""The `spu-cnn` student: convolutions of four widths over time, and statistics of each filter.

Peng et al., "Efficient speech emotion recognition using multi-scale CNN and attention", ICASSP
2021, its audio branch. 0.79 M parameters: 788,228 with four classes.

Published: 32 MFCC with Δ and ΔΔ (96 values), 7.5 s; 128 filters each of 5, 7, 9 and 11 frames,
ReLU; largest value, mean and deviation of each filter over time; dropout 0.3; Adam at 5e-4,
batches of 64, gradients clipped at norm 1. A hidden layer of 256 is a third party's.

Not published, and decided here: no text and no x-vector, since audio is compared; a step of one
frame, with zeros around; dropout on the statistics, ReLU on the hidden layer; 100 epochs. Where an
utterance is shorter than 7.5 s its statistics are of its own frames, not of the zeros behind them.
The MFCC are of 128 mel bands; each has mean 0 and deviation 1 over the training partition; Δ and
ΔΔ are taken after that.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import Hears, Params, Student, StudentOutput, StudentShape
from serbench_baselines.masked import by_length, frame_mask, kept, mean_over_time

if TYPE_CHECKING:
    from jaxtyping import Float, Int

LEAST_VARIANCE = 1e-6
"""Added under the root of a deviation, which has no gradient at 0."""

HEARD = {"window": 400, "hop": 160, "n_fft": 512, "coefficients": 32, "deltas": True}
"""Of the front end ``mfcc``."""


class SpuCnnParams(Params):
    """Sizes of SPU+CNN."""

    kernels: tuple[PositiveInt, ...] = Field(default=(5, 7, 9, 11), min_length=1)
    """Frames that each kind of filter reaches over."""
    filters: PositiveInt = 128
    """Of each kind."""
    hidden: PositiveInt = 256
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)


class SpuCnnNetwork(nn.Module):
    """See the module docstring; made by ``SpuCnn.build``."""

    def __init__(self, params: SpuCnnParams, shape: StudentShape) -> None:
        super().__init__()
        inputs = shape.channels * shape.n_mels
        self.scales = nn.ModuleList(
            nn.Conv1d(inputs, params.filters, kernel, padding="same") for kernel in params.kernels
        )
        self.dropout = nn.Dropout(params.dropout)
        self.hidden = nn.Linear(3 * params.filters * len(params.kernels), params.hidden)
        self.classify = nn.Linear(params.hidden, shape.num_classes)

    def forward(
        self, features: Float[Tensor, "N channels coefficients frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``."""
        embed = partial(by_length, self._pooled) if self.training else self._pooled
        embedding = F.relu(self.hidden(self.dropout(embed(features, lengths))))
        return StudentOutput(self.classify(embedding), embedding)

    def _pooled(
        self, features: Float[Tensor, "N channels coefficients frames"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N E"]:
        x = kept(features, lengths).flatten(1, 2)  # (N, channels * coefficients, frames)
        return torch.cat([statistics(F.relu(scale(x)), lengths) for scale in self.scales], dim=1)


def statistics(
    x: Float[Tensor, "N filters frames"], lengths: Int[Tensor, " N"]
) -> Float[Tensor, "N 3*filters"]:
    """Largest value, mean and deviation over real frames."""
    x = x.float()
    padding = ~frame_mask(lengths, x.shape[2])[:, None, :]
    largest = x.masked_fill(padding, float("-inf")).amax(dim=2)
    mean = mean_over_time(x, lengths)
    variance = mean_over_time((x - mean[..., None]).square(), lengths)
    return torch.cat([largest, mean, (variance + LEAST_VARIANCE).sqrt()], dim=1)


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
        """A fresh network for ``shape``."""
        return SpuCnnNetwork(self.params, shape)
