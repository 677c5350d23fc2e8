"""The network of ``light-ser``; see ``serbench_baselines.light_ser``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import StudentOutput, StudentShape
from serbench_baselines.networks.masked import frame_mask, normalised

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from serbench_baselines.light_ser import LightSerParams

PATHS = ((1, 11), (9, 1), (3, 3))

POOLS = ((2, 2), (2, 2), (1, 2), (1, 2))


class ConvPool(nn.Module):
    """Convolution, batch normalisation, ReLU and, if there is a ``pool``, means over cells."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int],
        *,
        pool: tuple[int, int] | None,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding="same", bias=bias)
        self.norm = nn.BatchNorm2d(outputs)
        self.pool = pool

    def forward(
        self, x: Float[Tensor, "N c bins frames"], lengths: Int[Tensor, " N"]
    ) -> tuple[Float[Tensor, "N c2 bins2 frames2"], Int[Tensor, " N"]]:
        """Values and numbers of real frames; padding is zero in the input and in the output."""
        real = frame_mask(lengths, x.shape[-1])
        counted = real if self.training and not bool(real.all()) else None
        x = normalised(self.norm, self.conv(x), counted).relu()
        kept = real[:, None, None, :].to(x.dtype)  # (N, 1, 1, frames)
        x = x * kept
        if self.pool is None:
            return x, lengths
        span = self.pool[1]
        shorter = torch.div(lengths + span - 1, span, rounding_mode="floor")
        return mean_pool(x, kept, self.pool), shorter


def mean_pool(
    x: Float[Tensor, "N c bins frames"],
    kept: Float[Tensor, "N 1 1 frames"],
    size: tuple[int, int],
) -> Float[Tensor, "N c bins2 frames2"]:
    """Means over cells of ``size`` of the real values inside the map; 0 if a cell has none."""
    edge = (0, -x.shape[3] % size[1], 0, -x.shape[2] % size[0])
    inside = F.pad(kept.expand(-1, -1, x.shape[2], -1), edge)
    share = F.avg_pool2d(inside, size)
    return F.avg_pool2d(F.pad(x, edge), size) / share.clamp(min=1.0 / (size[0] * size[1]))


class LightSerNetwork(nn.Module):
    """See ``serbench_baselines.light_ser``; made by ``LightSer.build``."""

    def __init__(self, params: LightSerParams, shape: StudentShape) -> None:
        super().__init__()
        self.paths = nn.ModuleList(
            ConvPool(shape.channels, params.paths, kernel, pool=(2, 2), bias=True)
            for kernel in PATHS
        )
        inputs = (len(PATHS) * params.paths, *params.filters[:-1])
        kernels = [(3, 3)] * len(POOLS) + [(1, 1)]
        self.body = nn.ModuleList(
            ConvPool(i, o, kernel, pool=pool)
            for i, o, kernel, pool in zip(
                inputs, params.filters, kernels, (*POOLS, None), strict=True
            )
        )
        self.dropout = nn.Dropout(params.dropout)
        self.classify = nn.Linear(params.filters[-1], shape.num_classes)
        # The published L2 penalty is only on the five later convolutions.
        decayed = {f"body.{n}.conv.weight" for n in range(len(self.body))}
        self.undecayed = tuple(n for n, _ in self.named_parameters() if n not in decayed)

    def forward(
        self, features: Float[Tensor, "N channels values frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``."""
        real = frame_mask(lengths, features.shape[-1])
        features = features.masked_fill(~real[:, None, None, :], 0.0)
        heard = [path(features, lengths) for path in self.paths]
        x, lengths = torch.cat([x for x, _ in heard], dim=1), heard[0][1]
        for part in self.body:
            x, lengths = part(x, lengths)
        embedding = x.float().mean(dim=2).sum(dim=-1) / lengths[:, None]
        return StudentOutput(self.classify(self.dropout(embedding)), embedding)
