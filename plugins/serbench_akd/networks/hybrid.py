"""The network of ``hybrid``; see ``serbench_akd.hybrid``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import StudentOutput, StudentShape
from serbench_akd.hybrid import DECODER_GROUPS
from serbench_akd.networks.layers import (
    AttentiveStatistics,
    FeedForward,
    MaskedConv,
    ResidualConvs,
    SelfAttention,
    frame_mask,
    halved,
)

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from serbench_akd.hybrid import HybridParams


class SpaceTimeBlock(nn.Module):
    """Pre-norm self-attention over frequency, then over time, then a perceptron."""

    def __init__(self, dim: int, params: HybridParams) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))
        self.space = SelfAttention(dim, params.heads)
        self.time = SelfAttention(dim, params.heads)
        self.mlp = FeedForward(dim, params.expansion, params.dropout)
        self.drop = params.block_dropout

    def forward(
        self, x: Float[Tensor, "N w h d"], mask: Bool[Tensor, "N w"]
    ) -> Float[Tensor, "N w h d"]:
        """Transform time-major tokens to tokens of the same shape; ``mask`` is True on
        real frames.
        """
        batch, frames, bins, dim = x.shape
        y = self.norms[0](x).reshape(batch * frames, bins, dim)
        x = _residual(x, self.space(y).view(batch, frames, bins, dim), self.drop, self.training)
        y = self.norms[1](x).transpose(1, 2).reshape(batch * bins, frames, dim)
        y = self.time(y, mask.repeat_interleave(bins, dim=0))
        y = y.view(batch, bins, frames, dim).transpose(1, 2)
        x = _residual(x, y, self.drop, self.training)
        return _residual(x, self.mlp(self.norms[2](x)), self.drop, self.training)


class TimeBlock(nn.Module):
    """Pre-norm self-attention over time, then a perceptron."""

    def __init__(self, dim: int, params: HybridParams) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))
        self.time = SelfAttention(dim, params.heads)
        self.mlp = FeedForward(dim, params.expansion, params.dropout)
        self.drop = params.block_dropout

    def forward(
        self, x: Float[Tensor, "N w d"], mask: Bool[Tensor, "N w"]
    ) -> Float[Tensor, "N w d"]:
        """``mask`` is True on real frames."""
        x = _residual(x, self.time(self.norms[0](x), mask), self.drop, self.training)
        return _residual(x, self.mlp(self.norms[1](x)), self.drop, self.training)


def _residual(
    x: Float[Tensor, "*shape"], y: Float[Tensor, "*shape"], drop: float, training: bool
) -> Float[Tensor, "*shape"]:
    """The sum x + y; in training, y is left out for some windows."""
    if not training or drop == 0.0:
        return x + y
    keep = torch.rand(x.shape[0], *[1] * (x.ndim - 1), device=x.device) >= drop
    return x + y * keep.to(y.dtype) / (1.0 - drop)


class HybridNetwork(nn.Module):
    """See ``serbench_akd.hybrid``; made by ``Hybrid.build``."""

    def __init__(self, params: HybridParams, shape: StudentShape) -> None:
        super().__init__()
        self.params = params
        channels = params.stem_channels
        dim, levels = channels[-1], len(channels)
        self.stride = 2**levels
        bins = halvings(shape.n_mels, levels)
        if params.convolutions:
            inputs = (shape.channels, *channels[:-1])
            self.stages = nn.ModuleList(
                MaskedConv(i, o, 3, stride=(2, 2)) for i, o in zip(inputs, channels, strict=True)
            )
            self.residuals = nn.ModuleList(
                ResidualConvs(o, params.residual_convolutions if n else 0)
                for n, o in enumerate(channels)
            )
        else:
            self.patch = nn.Conv2d(shape.channels, dim, self.stride, stride=self.stride)
        self.position = nn.Parameter(torch.zeros(1, 1, bins, dim))
        nn.init.trunc_normal_(self.position, std=0.02)
        self.blocks = nn.ModuleList(SpaceTimeBlock(dim, params) for _ in range(params.blocks))
        self.norm = nn.LayerNorm(dim)
        width = params.fused_dim
        self.fuse = nn.Linear(shape.channels * shape.n_mels, width)
        self.project = nn.Linear(dim * bins, width)
        self.time_blocks = nn.ModuleList(
            TimeBlock(width, params) for _ in range(params.time_blocks)
        )
        if params.convolutions:
            self.decode = nn.Conv1d(width, width, 3, padding=1, groups=DECODER_GROUPS)
        self.decoder_norm = nn.LayerNorm(width)
        if params.convolutions and params.skips:
            self.skip = nn.Linear(channels[-2] * halvings(shape.n_mels, levels - 1), width)
        self.pool = AttentiveStatistics(width, width // 2)
        self.dropout = nn.Dropout(params.classifier_dropout)
        # Each dimension is scaled separately, over the batch: pooled values differ little between
        # utterances, and the few hundred steps of a fit are too few to learn such a scale.
        self.embed = nn.BatchNorm1d(2 * width)
        self.classify = nn.Linear(2 * width, shape.num_classes)

    def _encode(
        self, x: Float[Tensor, "N channels mels frames"], lengths: Int[Tensor, " N"]
    ) -> tuple[
        Float[Tensor, "N c h w"],
        Int[Tensor, " N"],
        Float[Tensor, "N c1 h1 w1"],
        Int[Tensor, " N"],
    ]:
        """The output of the stem: the last map and its lengths, and the map before it
        and its lengths.
        """
        if not self.params.convolutions:
            ragged = -x.shape[-1] % self.stride
            x = self.patch(F.pad(x, (0, ragged)))
            lengths = halved(lengths, self.stride)
            return x, lengths, x, lengths
        before, before_lengths = x, lengths
        for stage, residuals in zip(self.stages, self.residuals, strict=True):
            before, before_lengths = x, lengths
            x, lengths = stage(x, lengths)
            x = residuals(x, lengths)
        return x, lengths, before, before_lengths

    def forward(
        self, features: Float[Tensor, "N channels mels frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``."""
        real = frame_mask(lengths, features.shape[-1])[:, None].to(features.dtype)  # (N, 1, frames)
        features = features * real[:, None]  # the padding may contain any values
        x, encoded_lengths, before, before_lengths = self._encode(features, lengths)
        mask = frame_mask(encoded_lengths, x.shape[-1])
        tokens = x.permute(0, 3, 2, 1) + self.position.to(x.dtype)  # (N, w, h, d)
        maps = [x]
        for block in self.blocks:
            tokens = block(tokens, mask)
            maps.append(tokens.permute(0, 3, 2, 1))
        tokens = self.norm(tokens)
        last_map = tokens.permute(0, 3, 2, 1)
        y = self.project(tokens.flatten(2))  # (N, w, width)
        for block in self.time_blocks:
            y = block(y, mask)
        y = y * mask[..., None].to(y.dtype)
        if self.params.convolutions and self.params.skips:
            y = y.repeat_interleave(2, dim=1)[:, : before.shape[-1]]
            y = y + self.skip(before.permute(0, 3, 2, 1).flatten(2))
            out_lengths, stride = before_lengths, self.stride // 2
        else:
            out_lengths, stride = encoded_lengths, self.stride
        out_mask = frame_mask(out_lengths, y.shape[1])
        y = y + self._fused(features, real, stride)
        y = (y * out_mask[..., None].to(y.dtype)).transpose(1, 2)
        if self.params.convolutions:
            y = y + F.gelu(self.decode(y))
        y = self.decoder_norm(y.transpose(1, 2))
        maps.append(y.transpose(1, 2)[:, :, None])  # the last level is the one that is pooled
        embedding = self.embed(self.pool(y, out_mask))
        logits = self.classify(self.dropout(embedding))
        return StudentOutput(
            logits=logits,
            embedding=embedding,
            maps=tuple(maps),
            masks=(mask,) * (len(maps) - 1) + (out_mask,),
            last_map=last_map,
            last_mask=mask,
        )

    def _fused(
        self,
        features: Float[Tensor, "N channels mels frames"],
        real: Float[Tensor, "N 1 frames"],
        stride: int,
    ) -> Float[Tensor, "N w width"]:
        """The fused frame vectors, averaged over the real frames of each decoder frame."""
        ragged = -features.shape[-1] % stride
        total = F.avg_pool1d(F.pad(features.flatten(1, 2), (0, ragged)), stride)
        share = F.avg_pool1d(F.pad(real, (0, ragged)), stride)
        return self.fuse((total / share.clamp_min(1e-6)).transpose(1, 2))


def halvings(size: int, times: int) -> int:
    """``size`` after ``times`` convolutions of stride 2."""
    for _ in range(times):
        size = (size + 1) // 2
    return size
