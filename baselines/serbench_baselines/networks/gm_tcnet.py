"""The network of ``gm-tcnet``; see ``serbench_baselines.gm_tcnet``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import StudentOutput, StudentShape
from serbench_baselines.networks.masked import mean_over_time
from serbench_baselines.networks.tim_net import CausalConv

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from serbench_baselines.gm_tcnet import GmTcNetParams

LEAK = 0.05


class GatedPairs(nn.Module):
    """Mean over pairs of ``ReLU(conv) · sigmoid(ReLU(conv))``, all causal, with one dilation."""

    def __init__(self, params: GmTcNetParams, dilation: int) -> None:
        super().__init__()
        self.width, self.pairs = params.width, params.pairs
        # All convolutions have the same input, so they are one, with their filters end to end.
        filters = 2 * params.pairs * params.width
        self.convs = CausalConv(params.width, filters, params.kernel, dilation)

    def forward(self, x: Float[Tensor, "N c frames"]) -> Float[Tensor, "N c frames"]:
        """Returns as many frames as the input has."""
        both = self.convs(x).relu().unflatten(1, (2, self.pairs, self.width))
        value, gate = both.unbind(1)  # (N, pairs, width, frames) each
        return (value * gate.sigmoid()).mean(dim=1)


class GmTcNetwork(nn.Module):
    """See ``serbench_baselines.gm_tcnet``; made by ``GmTcNet.build``."""

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
