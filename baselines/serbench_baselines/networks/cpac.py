"""The network of ``cpac``; see ``serbench_baselines.cpac``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import StudentOutput, StudentShape
from serbench_baselines.networks.masked import frame_mask

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from serbench_baselines.cpac import CpacParams

LEAST = 38
"""Fewest frames, and fewest values of a frame, for one position of primary capsules."""


class ScaleShift(nn.Module):
    """Batch normalisation with mean 0 and variance 1, so only a learned scale and shift."""

    mean: Tensor
    variance: Tensor

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(filters))
        self.shift = nn.Parameter(torch.zeros(filters))
        self.register_buffer("mean", torch.zeros(filters), persistent=False)
        self.register_buffer("variance", torch.ones(filters), persistent=False)

    def forward(self, x: Float[Tensor, "N c h w"]) -> Float[Tensor, "N c h w"]:
        """A map of the same size."""
        return F.batch_norm(x, self.mean, self.variance, self.scale, self.shift, eps=0.0)


class Attention(nn.Module):
    """Dot-product self-attention of vectors that are query, key and value at once."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(
        self, x: Float[Tensor, "N n d"], real: Bool[Tensor, "N n"]
    ) -> Float[Tensor, "N n d"]:
        """Nothing attends to vectors that are not ``real``."""
        scores = self.scale * (x @ x.transpose(1, 2))
        scores = scores.masked_fill(~real[:, None, :], float("-inf"))
        return scores.softmax(dim=-1) @ x


class Routing(nn.Module):
    """Routing by agreement; all capsules of the layer below share their weights."""

    def __init__(self, inputs: int, capsules: int, outputs: int, rounds: int) -> None:
        super().__init__()
        self.predict = nn.Linear(inputs, capsules * outputs, bias=False)
        self.capsules, self.rounds = capsules, rounds

    def forward(
        self, x: Float[Tensor, "N n d"], real: Bool[Tensor, "N n"]
    ) -> Float[Tensor, "N capsules d2"]:
        """Vectors that are not ``real`` are ignored."""
        votes = self.predict(x).unflatten(2, (self.capsules, -1))  # (N, n, capsules, d2)
        votes = votes * real[:, :, None, None].to(votes.dtype)
        logits = votes.new_zeros(votes.shape[:3])
        for _ in range(self.rounds - 1):
            agreed = torch.einsum("ncj,ncjd->njd", logits.softmax(dim=2), votes)
            logits = torch.einsum("ncjd,njd->ncj", votes, F.normalize(agreed, dim=-1))
        return squash(torch.einsum("ncj,ncjd->njd", logits.softmax(dim=2), votes))


def squash(x: Float[Tensor, "*shape d"]) -> Float[Tensor, "*shape d"]:
    """Scale vectors to lengths below 1: ``|x|² / (1 + |x|²) · x / |x|`` (Sabour et al., 1)."""
    square = x.square().sum(dim=-1, keepdim=True)
    return x * square.add(1e-12).sqrt() / (1.0 + square)


class CpacNetwork(nn.Module):
    """See ``serbench_baselines.cpac``; made by ``Cpac.build``."""

    def __init__(self, params: CpacParams, shape: StudentShape) -> None:
        super().__init__()
        filters, self.capsule = params.filters, params.capsule
        self.convs = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(inputs, filters, 3),
                ScaleShift(filters),
                nn.ELU(),
                nn.AvgPool2d(2),
                nn.Dropout(dropout),
            )
            for inputs, dropout in zip(
                (shape.channels, filters, filters), params.conv_dropout, strict=True
            )
        )
        self.primary = nn.Conv2d(filters, params.capsules * params.capsule, 3)
        self.attention = Attention()
        self.routing = Routing(params.capsule, params.capsules, params.capsule, params.rounds)
        self.dropout = nn.Dropout(params.dropout)
        self.classify = nn.Linear(params.capsule, shape.num_classes)

    def forward(
        self, features: Float[Tensor, "N channels values frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``."""
        real = frame_mask(lengths, features.shape[-1])
        x = features.masked_fill(~real[:, None, None, :], 0.0)
        x = F.pad(x, (0, max(0, LEAST - x.shape[3]), 0, max(0, LEAST - x.shape[2])))
        lengths = lengths.clamp(min=LEAST)
        for conv in self.convs:
            x = conv(x)
            lengths = torch.div(lengths - 2, 2, rounding_mode="floor")
        x = self.primary(x).permute(0, 3, 2, 1)  # (N, frames, values, capsules * capsule)
        each = x.shape[2] * x.shape[3] // self.capsule
        real = frame_mask((lengths - 2) * each, x.shape[1] * each)
        x = squash(x.flatten(1).unflatten(1, (-1, self.capsule)).float())  # (N, n, capsule)
        x = x * self.attention(x, real)
        embedding = self.routing(x, real).mean(dim=1)
        return StudentOutput(self.classify(self.dropout(embedding)), embedding)
