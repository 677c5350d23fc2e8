"""``ssl-att``: a frozen encoder with attentive correlation pooling.

Kakouros et al., "Speech-based emotion recognition with self-supervised models using attentive
channel-wise correlations and label smoothing" (ICASSP 2023): a learned weight for each layer,
linear 256, dropout of whole channels, attention over time with several heads, and the correlations
of all pairs of channels under that attention, from which one linear layer classifies.

Published: HuBERT-large, Adam at 1e-4, 8 batches of 4 to an update, gradients clipped at norm 1.
Decided: label smoothing 0.1, since the title has it and the authors' code does not; 100 epochs in
place of 30,000 steps, and the last of them in place of the best on a fifth of the training
utterances; padding has no weight (in the authors' code it keeps some).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from serbench.api import StudentShape
from serbench_baselines.frozen import Frozen, FrozenParams, Head, LayerMix
from serbench_baselines.masked import frame_mask

if TYPE_CHECKING:
    from jaxtyping import Float, Int

LEAST_VARIANCE = 1e-6
"""A channel that varies less, such as one that is dropped, correlates with nothing."""


class SslAttParams(FrozenParams):
    """Which encoder is heard, and the sizes of the head."""

    model: str = Field(default="facebook/hubert-large-ll60k", min_length=1)
    heads: PositiveInt = 4
    """Of the attention; the log of their summed exponentials is one score for each frame."""
    dropout: float = Field(default=0.25, ge=0.0, lt=1.0)
    """Of whole channels."""


class CorrelationHead(Head):
    """See the module docstring; made by ``SslAtt.build``."""

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
    with torch.autocast(x.device.type, enabled=False):  # differences of near numbers
        own = weights[..., None]
        centred = x - (own * x).sum(dim=1, keepdim=True)
        covariance = (own * centred).transpose(1, 2) @ centred
        variance = torch.diagonal(covariance, dim1=1, dim2=2)
        scale = variance.clamp_min(LEAST_VARIANCE).rsqrt()
        return covariance * scale[:, :, None] * scale[:, None, :]


class SslAtt(Frozen):
    """Attentive correlation pooling on a frozen encoder."""

    name = "ssl-att"
    Params = SslAttParams
    params: SslAttParams  # pyright: ignore[reportIncompatibleVariableOverride]

    def build(self, shape: StudentShape) -> nn.Module:
        """A fresh head; see ``Student`` and ``Frozen.depth``."""
        depth = self.depth(shape)
        return CorrelationHead(depth, shape.n_mels // depth, self.params, shape.num_classes)
