"""The network of ``ssl-att``; see ``serbench_baselines.ssl_att``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from serbench_baselines.networks.frozen import Head, LayerMix
from serbench_baselines.networks.masked import frame_mask

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from serbench_baselines.ssl_att import SslAttParams

LEAST_VARIANCE = 1e-6
"""A channel with a smaller variance, such as a dropped one, has no correlation with any other."""


class CorrelationHead(Head):
    """See ``serbench_baselines.ssl_att``; made by ``SslAtt.build``."""

    upper: Tensor

    def __init__(self, layers: int, inputs: int, params: SslAttParams, num_classes: int) -> None:
        super().__init__()
        width = params.width
        self.mix = LayerMix(layers)
        self.project = nn.Linear(inputs, width)
        self.dropout = nn.Dropout1d(params.dropout)
        self.attend = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        self.heads = nn.Linear(width, params.heads)
        row, column = torch.triu_indices(width, width, offset=1)
        self.register_buffer("upper", row * width + column, persistent=False)
        self.classify = nn.Linear(len(self.upper), num_classes)

    def pooled(
        self, features: Float[Tensor, "N 1 LD frames"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N E"]:
        """See ``Head``."""
        mask = frame_mask(lengths, features.shape[3])
        x = self.project(self.mix(features[:, 0].transpose(1, 2)))  # (N, frames, width)
        x = self.dropout(x.transpose(1, 2)).transpose(1, 2)
        scores = self.heads(self.attend(x)).float().logsumexp(dim=2)  # (N, frames)
        weights = scores.masked_fill(~mask, float("-inf")).softmax(dim=1)
        x = x.float().masked_fill(~mask[..., None], 0.0)
        return correlations(x, weights).flatten(1)[:, self.upper]


def correlations(
    x: Float[Tensor, "N frames d"], weights: Float[Tensor, "N frames"]
) -> Float[Tensor, "N d d"]:
    """Correlation of each pair of channels over time; ``weights`` sum to 1."""
    with torch.autocast(x.device.type, enabled=False):  # subtracts numbers that are nearly equal
        own = weights[..., None]
        centred = x - (own * x).sum(dim=1, keepdim=True)
        covariance = (own * centred).transpose(1, 2) @ centred
        variance = torch.diagonal(covariance, dim1=1, dim2=2)
        scale = variance.clamp_min(LEAST_VARIANCE).rsqrt()
        return covariance * scale[:, :, None] * scale[:, None, :]
