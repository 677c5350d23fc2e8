"""The network of ``mha-drn``; see ``serbench_baselines.mha_drn``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import StudentOutput, StudentShape
from serbench_baselines.networks.masked import (
    MaskedNorm,
    frame_mask,
    halved,
    kept,
    mean_over_time,
    shortened,
)

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from serbench_baselines.mha_drn import MhaDrnParams

FIRST, REACH = 32, 10
"""Filters of the first convolution, and number of frames that it covers."""

STAGES = ((64, 2, 5, 1), (128, 2, 5, 1), (256, 1, 3, 2), (512, 1, 3, 4))
"""Filters and step of each stage; kernel and dilation of its residual blocks."""


class ResidualBlock(nn.Module):
    """Two convolutions with batch normalisation, and a skip around both."""

    def __init__(self, width: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv1d(width, width, kernel, padding="same", dilation=dilation) for _ in range(2)
        )
        self.norms = nn.ModuleList(MaskedNorm(width) for _ in range(2))

    def forward(
        self, x: Float[Tensor, "N c frames"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N c frames"]:
        """A map of the same size; padding is 0 in the input and in the output."""
        y = kept(F.relu(self.norms[0](self.convs[0](x), lengths)), lengths)
        y = self.norms[1](self.convs[1](y), lengths)
        return kept(F.relu(x + y), lengths)


class Stage(nn.Module):
    """A convolution that widens the map and may halve its frames, then two residual blocks."""

    def __init__(self, inputs: int, width: int, step: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.step = step
        self.enter = nn.Conv1d(inputs, width, step, stride=step)
        self.blocks = nn.ModuleList(ResidualBlock(width, kernel, dilation) for _ in range(2))

    def forward(
        self, x: Float[Tensor, "N c frames"], lengths: Int[Tensor, " N"]
    ) -> tuple[Float[Tensor, "N c2 frames2"], Int[Tensor, " N"]]:
        """A map and its lengths; padding is 0 in the input and in the output."""
        if self.step == 2:
            x, lengths = F.pad(x, (0, 1)), halved(lengths)  # pairs an odd last frame with 0
        x = kept(F.relu(self.enter(x)), lengths)
        for block in self.blocks:
            x = block(x, lengths)
        return x, lengths


class SelfAttention(nn.Module):
    """Scaled dot products between frames in several heads (Vaswani et al., NeurIPS 2017)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self, x: Float[Tensor, "N frames d"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N frames d"]:
        """Nothing attends to padding."""
        batch, frames, width = x.shape
        qkv = self.qkv(x).view(batch, frames, 3, self.heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # (N, heads, frames, d/heads) each
        scores = query @ key.transpose(-2, -1) * (width // self.heads) ** -0.5
        padding = ~frame_mask(lengths, frames)[:, None, None, :]
        weights = scores.masked_fill(padding, float("-inf")).softmax(dim=-1).to(value.dtype)
        return self.out((weights @ value).transpose(1, 2).reshape(batch, frames, width))


class MhaDrnNetwork(nn.Module):
    """See ``serbench_baselines.mha_drn``; made by ``MhaDrn.build``."""

    def __init__(self, params: MhaDrnParams, shape: StudentShape) -> None:
        super().__init__()
        self.first = nn.Conv1d(shape.channels * shape.n_mels, FIRST, REACH)
        inputs = [FIRST, *(width for width, *_ in STAGES)]
        self.stages = nn.ModuleList(
            Stage(count, *sizes) for count, sizes in zip(inputs, STAGES, strict=False)
        )
        self.attention = SelfAttention(inputs[-1], params.heads)
        self.dropout = nn.Dropout(params.dropout)
        self.classify = nn.Linear(inputs[-1], shape.num_classes)

    def forward(
        self, features: Float[Tensor, "N channels mels frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``."""
        if self.training:
            features = shortened(features, lengths)
        x = kept(features, lengths).flatten(1, 2)
        around = (REACH - 1) // 2, REACH // 2
        x = kept(F.relu(self.first(F.pad(x, around))), lengths)
        for stage in self.stages:
            x, lengths = stage(x, lengths)
        tokens = x.transpose(1, 2)
        x = (tokens + self.attention(tokens, lengths)).transpose(1, 2)
        embedding = mean_over_time(x, lengths)
        return StudentOutput(self.classify(self.dropout(embedding)), embedding)
