"""The `gm-tcnet` student: GM-TCNet, gated causal convolutions over MFCC at two scales a block.

Ye et al., "GM-TCNet: Gated Multi-scale Temporal Convolutional Network using Emotion Causality for
Speech Emotion Recognition", Speech Communication 2022; sizes after a copy of the authors' code.
Seven blocks reach 1, 2, … 64 frames back and, in their second half, twice as far. What they add
to what they hear is summed over all blocks and averaged over time. Neither normalisation nor
dropout.

Not published, and decided here: weights start as PyTorch starts them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import Hears, Params, Student, StudentOutput, StudentShape
from serbench_baselines.masked import mean_over_time
from serbench_baselines.tim_net import HEARD, CausalConv

if TYPE_CHECKING:
    from jaxtyping import Float, Int

LEAK = 0.05


class GmTcNetParams(Params):
    """Sizes of GM-TCNet."""

    width: PositiveInt = 39
    """Filters of each convolution."""
    blocks: int = Field(default=7, ge=1, le=16)
    pairs: PositiveInt = 3
    """Gated pairs of convolutions side by side."""
    kernel: int = Field(default=2, ge=2)
    """Taps of a convolution."""


class GatedPairs(nn.Module):
    """Mean over pairs of ``ReLU(conv) · sigmoid(ReLU(conv))``, all causal, of one dilation."""

    def __init__(self, params: GmTcNetParams, dilation: int) -> None:
        super().__init__()
        self.width, self.pairs = params.width, params.pairs
        # All convolutions hear the same: one convolution with the filters of all, end to end.
        filters = 2 * params.pairs * params.width
        self.convs = CausalConv(params.width, filters, params.kernel, dilation)

    def forward(self, x: Float[Tensor, "N c frames"]) -> Float[Tensor, "N c frames"]:
        """As many frames as it is given."""
        both = self.convs(x).relu().unflatten(1, (2, self.pairs, self.width))
        value, gate = both.unbind(1)  # (N, pairs, width, frames) each
        return (value * gate.sigmoid()).mean(dim=1)


class GmTcNetwork(nn.Module):
    """See the module docstring; made by ``GmTcNet.build``."""

    def __init__(self, params: GmTcNetParams, shape: StudentShape) -> None:
        super().__init__()
        self.enter = nn.Conv1d(shape.channels * shape.n_mels, params.width, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(GatedPairs(params, 2**n), GatedPairs(params, 2 ** (n + 1)))
            for n in range(params.blocks)
        )
        self.classify = nn.Linear(params.width, shape.num_classes)

    def forward(
        self, features: Float[Tensor, "N channels values frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``."""
        x = self.enter(features.flatten(1, 2))
        total = torch.zeros_like(x)
        for block in self.blocks:
            result = block(x)
            total = total + result
            x = x + result
        embedding = mean_over_time(F.leaky_relu(total, LEAK), lengths)
        return StudentOutput(self.classify(embedding), embedding)


class GmTcNet(Student):
    """GM-TCNet (Ye et al., 2022)."""

    name = "gm-tcnet"
    Params = GmTcNetParams
    params: GmTcNetParams

    @property
    def hears(self) -> Hears:
        """As TIM-Net does, 96,000 samples on EmoDB."""
        return Hears("mfcc", HEARD)

    def build(self, shape: StudentShape) -> nn.Module:
        """A fresh network for ``shape``."""
        return GmTcNetwork(self.params, shape)
