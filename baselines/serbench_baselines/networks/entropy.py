"""The network of ``entropy``; see ``serbench_baselines.entropy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import StudentOutput, StudentShape
from serbench_baselines.networks.masked import mean_over_time

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from serbench_baselines.entropy import EntropyParams


class EntropyNetwork(nn.Module):
    """See ``serbench_baselines.entropy``; made by ``Entropy.build``."""

    def __init__(self, params: EntropyParams, shape: StudentShape) -> None:
        super().__init__()
        inputs = (shape.channels * shape.n_mels, *params.hidden[:-1])
        self.layers = nn.ModuleList(
            nn.Linear(i, o) for i, o in zip(inputs, params.hidden, strict=True)
        )
        self.dropout = nn.Dropout(params.dropout)
        self.classify = nn.Linear(params.hidden[-1], shape.num_classes)

    def forward(
        self, features: Float[Tensor, "N channels d frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``; if there are several frames, their mean is the input."""
        x = mean_over_time(features, lengths).flatten(1)
        for layer in self.layers:
            x = self.dropout(F.relu(layer(x)))
        return StudentOutput(self.classify(x), x)
