"""The network of ``mf-cnn``; see ``serbench_baselines.mf_cnn``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import StudentOutput, StudentShape
from serbench_baselines.networks.masked import mean_over_time

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from serbench_baselines.mf_cnn import MfCnnParams


class MfCnnNetwork(nn.Module):
    """See ``serbench_baselines.mf_cnn``; made by ``MfCnn.build``."""

    def __init__(self, params: MfCnnParams, shape: StudentShape) -> None:
        super().__init__()
        inputs = (1, *params.filters[:-1])
        self.convs = nn.ModuleList(
            nn.Conv1d(i, o, 3, padding=1) for i, o in zip(inputs, params.filters, strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(count) for count in params.filters)
        left = shape.channels * shape.n_mels
        for _ in params.filters:
            left = (left + 1) // 2
        self.dropout = nn.Dropout(params.dropout)
        self.classify = nn.Linear(params.filters[-1] * left, shape.num_classes)

    def forward(
        self, features: Float[Tensor, "N channels d frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``; if there are several frames, their mean is the input."""
        x = mean_over_time(features, lengths).flatten(1)[:, None]  # (N, 1, channels * d)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.max_pool1d(F.relu(norm(conv(x))), 2, ceil_mode=True)
        embedding = x.flatten(1)
        return StudentOutput(self.classify(self.dropout(embedding)), embedding)
