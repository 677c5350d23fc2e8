"""Building blocks of the students: masked convolutions, attention over one axis of a map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


def frame_mask(lengths: Int[Tensor, " N"], frames: int) -> Bool[Tensor, "N frames"]:
    """A mask that is True on real frames."""
    return torch.arange(frames, device=lengths.device)[None, :] < lengths[:, None]


def halved(lengths: Int[Tensor, " N"], stride: int) -> Int[Tensor, " N"]:
    """Number of real frames after a convolution of this stride that pads by half its kernel."""
    return torch.div(lengths + stride - 1, stride, rounding_mode="floor")


class MaskedConv(nn.Module):
    """Convolution, batch normalisation and ReLU over ``(N, c, mels, frames)``, padding kept at 0.

    The convolution itself also pads with zeros, so a padded window gives the same map as
    the window alone.
    """

    def __init__(
        self, channels: int, out: int, kernel: int = 3, stride: tuple[int, int] = (1, 1)
    ) -> None:
        super().__init__()
        self.stride = stride
        self.convolution = nn.Conv2d(
            channels, out, kernel, stride=stride, padding=kernel // 2, bias=False
        )
        self.norm = nn.BatchNorm2d(out)

    def forward(
        self, x: Float[Tensor, "N c h w"], lengths: Int[Tensor, " N"]
    ) -> tuple[Float[Tensor, "N out h2 w2"], Int[Tensor, " N"]]:
        """The map, which is smaller by the stride, and its lengths."""
        x = self.norm(self.convolution(x))
        lengths = halved(lengths, self.stride[1])
        mask = frame_mask(lengths, x.shape[-1])[:, None, None, :]
        return F.relu(x) * mask.to(x.dtype), lengths


class ResidualConvs(nn.Module):
    """Masked convolutions, each with a skip connection around it."""

    def __init__(self, channels: int, count: int) -> None:
        super().__init__()
        self.bodies = nn.ModuleList(MaskedConv(channels, channels) for _ in range(count))

    def forward(
        self, x: Float[Tensor, "N c h w"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N c h w"]:
        """A map of the same shape."""
        for body in self.bodies:
            x = x + body(x, lengths)[0]
        return x


class SelfAttention(nn.Module):
    """Multi-head self-attention over the second-to-last axis of ``(B, tokens, d)``.

    It uses two plain matrix products. For so few tokens they train faster on a CPU than the
    fused kernel, whose backward pass took a third of a training step, and they can be
    exported without problems.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(
        self, x: Float[Tensor, "B tokens d"], mask: Bool[Tensor, "B tokens"] | None = None
    ) -> Float[Tensor, "B tokens d"]:
        """Attention over the tokens; ``mask`` is True on real tokens."""
        batch, tokens, dim = x.shape
        qkv = self.qkv(x).view(batch, tokens, 3, self.heads, dim // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, tokens, d/heads) each
        scores = query @ key.transpose(-2, -1) * (dim // self.heads) ** -0.5
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None, :], float("-inf"))
        y = scores.softmax(dim=-1).to(value.dtype) @ value
        return self.out(y.transpose(1, 2).reshape(batch, tokens, dim))


class FeedForward(nn.Sequential):
    """The two-layer perceptron of a transformer block."""

    def __init__(self, dim: int, expansion: int, dropout: float) -> None:
        super().__init__(
            nn.Linear(dim, expansion * dim),
            nn.GELU(),
            nn.Linear(expansion * dim, dim),
            nn.Dropout(dropout),
        )


class AttentiveStatistics(nn.Module):
    """Attentive statistics pooling (Okabe et al., Interspeech 2018)."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(dim, hidden), nn.Tanh(), nn.Linear(hidden, dim))

    def forward(
        self, x: Float[Tensor, "N w d"], mask: Bool[Tensor, "N w"]
    ) -> Float[Tensor, "N 2*d"]:
        """Weighted mean and deviation over the real frames, on which ``mask`` is True."""
        x = x.float()
        scores = self.score(x).float().masked_fill(~mask[..., None], float("-inf"))
        weights = scores.softmax(dim=1)
        mean = (weights * x).sum(dim=1)
        variance = (weights * (x - mean[:, None]).square()).sum(dim=1)
        return torch.cat([mean, (variance + 1e-5).sqrt()], dim=-1)
