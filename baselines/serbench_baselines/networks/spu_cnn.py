"""The network of ``spu-cnn``; see ``serbench_baselines.spu_cnn``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import StudentOutput, StudentShape
from serbench_baselines.networks.masked import by_length, frame_mask, kept, mean_over_time

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from serbench_baselines.spu_cnn import SpuCnnParams

LEAST_VARIANCE = 1e-6
"""Added to a variance before its root, which has no gradient at 0."""


class SpuCnnNetwork(nn.Module):
    """See ``serbench_baselines.spu_cnn``; made by ``SpuCnn.build``."""

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
    """Largest value, mean and deviation of each filter over real frames."""
    x = x.float()
    padding = ~frame_mask(lengths, x.shape[2])[:, None, :]
    largest = x.masked_fill(padding, float("-inf")).amax(dim=2)
    mean = mean_over_time(x, lengths)
    variance = mean_over_time((x - mean[..., None]).square(), lengths)
    return torch.cat([largest, mean, (variance + LEAST_VARIANCE).sqrt()], dim=1)
