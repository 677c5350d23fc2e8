"""The network of an inheriting student: an encoder's first blocks, statistics pooling,
and a head.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import Hears, StudentOutput
from serbench_inherited.budget import Ranks

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

FAR_BELOW = -3e4
"""A score that softmax turns into 0. Unlike minus infinity, it gives no NaN if a window has no real
frames, and it can be represented in half precision.
"""


def frame_mask(lengths: Int[Tensor, " N"], frames: int) -> Bool[Tensor, "N frames"]:
    """A mask that is True on real frames."""
    return torch.arange(frames, device=lengths.device)[None, :] < lengths[:, None]


class Gate(nn.Module):
    """The weight that each frame gives to a relative position bias (WavLM: Chen et al., 2022).

    Args:
        width: D.
        heads: number of heads of the attention; each reads its own part of the D dimensions.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(heads, width // heads, 2) * width**-0.5)
        self.bias = nn.Parameter(torch.zeros(heads, 1, 2))
        self.constant = nn.Parameter(torch.ones(heads, 1, 1))

    def forward(self, x: Float[Tensor, "N w D"]) -> Float[Tensor, "N heads w 1"]:
        """Factors on the bias for each query."""
        own = x.unflatten(2, (len(self.weight), -1)).transpose(1, 2)  # (N, heads, w, D/heads)
        first, second = (own @ self.weight + self.bias).sigmoid().chunk(2, dim=-1)
        return first * (second * self.constant - 1.0) + 2.0


class RelativeBias(nn.Module):
    """A bias of the scores by the distance of query and key, in buckets (T5, WavLM).

    Args:
        buckets: number of buckets; half of them are for keys after the query.
        farthest: distance in frames, from which on all distances share a bucket.
        heads: number of heads; each has its own biases.
    """

    bucket: Tensor

    def __init__(self, buckets: int, farthest: int, heads: int) -> None:
        super().__init__()
        half = buckets // 2
        exact = half // 2
        distance = torch.arange(farthest + 1)
        ratio = torch.log(distance.clamp_min(1).float() / exact) / math.log(farthest / exact)
        coarse = (exact + ratio * (half - exact)).long().clamp_max(half - 1)
        self.later, self.farthest = half, farthest  # first bucket for keys after the query
        self.register_buffer("bucket", torch.where(distance < exact, distance, coarse))
        self.embed = nn.Embedding(buckets, heads)

    def forward(self, frames: int) -> Float[Tensor, "heads w w"]:
        """The biases for ``frames`` queries and as many keys."""
        at = torch.arange(frames, device=self.bucket.device)
        offset = at[None, :] - at[:, None]
        place = self.bucket[offset.abs().clamp_max(self.farthest)]
        return self.embed(place + (offset > 0) * self.later).permute(2, 0, 1)


class Attention(nn.Module):
    """Multi-head self-attention whose heads may be narrower than the encoder's.

    Scores keep the encoder's scale. Keys and values have no bias: a constant in the scores of a
    query does not change softmax, and because weights sum to 1, a bias of values only adds a
    constant to the output.

    Args:
        width: D.
        heads: number of heads of the encoder.
        query: dimensions of query and key per head.
        value: dimensions of value per head.
        gated: whether a relative position bias is added to the scores.
    """

    def __init__(
        self, width: int, heads: int, query: int, value: int, *, gated: bool = False
    ) -> None:
        super().__init__()
        self.heads, self.scale = heads, (width // heads) ** -0.5
        self.gate = Gate(width, heads) if gated else None
        self.query = nn.Linear(width, heads * query)
        self.key = nn.Linear(width, heads * query, bias=False)
        self.value = nn.Linear(width, heads * value, bias=False)
        self.output = nn.Linear(heads * value, width)

    def mixed(
        self,
        x: Float[Tensor, "N w D"],
        mask: Bool[Tensor, "N w"],
        bias: Float[Tensor, "heads w w"] | None,
        values: Float[Tensor, "N w V"],
    ) -> Float[Tensor, "N w V"]:
        """``values`` of all heads, mixed over time by the attention weights of ``x``."""
        # Two plain products: with so few dimensions per head, they are faster on a CPU than the
        # fused kernel, and they can be exported without problems.
        query, key = self.split(self.query(x)), self.split(self.key(x))
        scores = query @ key.transpose(-2, -1) * self.scale  # (N, heads, w, w)
        if self.gate is not None and bias is not None:
            scores = scores + self.gate(x) * bias
        scores = scores.masked_fill(~mask[:, None, None, :], FAR_BELOW)
        mixed = scores.softmax(dim=-1).to(values.dtype) @ self.split(values)
        return mixed.transpose(1, 2).flatten(2)

    def split(self, x: Float[Tensor, "N w E"]) -> Float[Tensor, "N heads w e"]:
        """The heads of ``x``, separated."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def forward(
        self,
        x: Float[Tensor, "N w D"],
        mask: Bool[Tensor, "N w"],
        bias: Float[Tensor, "heads w w"] | None = None,
    ) -> Float[Tensor, "N w D"]:
        """Attention over frames; ``mask`` is True on real frames."""
        return self.output(self.mixed(x, mask, bias, self.value(x)))


class FeedForward(nn.Module):
    """The two-layer perceptron of a block."""

    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.expand = nn.Linear(width, units)
        self.contract = nn.Linear(units, width)

    def hidden(self, x: Float[Tensor, "*rows D"]) -> Float[Tensor, "*rows f"]:
        """Activations of the units."""
        return F.gelu(self.expand(x))

    def forward(self, x: Float[Tensor, "*rows D"]) -> Float[Tensor, "*rows D"]:
        """The output for each frame separately."""
        return self.contract(self.hidden(x))


class Block(nn.Module):
    """A transformer block.

    In a pre-norm block, norms have no gain and bias: these are folded into the layers that follow.
    In a post-norm block, norms have gain and bias.
    """

    def __init__(
        self, attention: Attention, feed: FeedForward, epsilon: float, *, post_norm: bool = False
    ) -> None:
        super().__init__()
        width = attention.output.out_features

        def before() -> nn.Module:
            plain = nn.LayerNorm(width, epsilon, elementwise_affine=False)
            return nn.Identity() if post_norm else plain

        def after() -> nn.Module:
            return nn.LayerNorm(width, epsilon) if post_norm else nn.Identity()

        self.attention, self.feed = attention, feed
        self.before_attention, self.after_attention = before(), after()
        self.before_feed, self.after_feed = before(), after()

    def forward(
        self,
        x: Float[Tensor, "N w D"],
        mask: Bool[Tensor, "N w"],
        bias: Float[Tensor, "heads w w"] | None = None,
    ) -> Float[Tensor, "N w D"]:
        """The block's output; ``mask`` is True on real frames, and ``bias`` is needed by
        a gated attention.
        """
        x = self.after_attention(x + self.attention(self.before_attention(x), mask, bias))
        return self.after_feed(x + self.feed(self.before_feed(x)))


class Encoder(nn.Module):
    """A front end, and blocks over its frames."""

    def __init__(
        self, front: nn.Module, blocks: list[Block], relative: RelativeBias | None = None
    ) -> None:
        super().__init__()
        self.front = front
        self.blocks = nn.ModuleList(blocks)
        self.relative = relative

    def bias(self, frames: int) -> Float[Tensor, "heads w w"] | None:
        """The bias of the attention scores; None if this encoder has none."""
        return None if self.relative is None else self.relative(frames)

    def forward(
        self, features: Float[Tensor, "N 1 bins frames"], lengths: Int[Tensor, " N"]
    ) -> tuple[list[Tensor], Bool[Tensor, "N w"]]:
        """Output ``(N, w, D)`` of each block, and which of its frames are real."""
        x, lengths = self.front(features, lengths)
        mask, bias = frame_mask(lengths, x.shape[1]), self.bias(x.shape[1])
        outputs = []
        for block in self.blocks:
            x = block(x, mask, bias)
            outputs.append(x)
        return outputs, mask

    @property
    def ranks(self) -> Ranks:
        """The ranks of the pretrained encoder that this encoder has kept."""
        blocks = cast("list[Block]", list(self.blocks))
        return Ranks(
            channels=getattr(self.front, "channels", 0),
            query=tuple(b.attention.query.out_features // b.attention.heads for b in blocks),
            value=tuple(b.attention.value.out_features // b.attention.heads for b in blocks),
            units=tuple(b.feed.expand.out_features for b in blocks),
        )


class Sizes(Protocol):
    """The facts about an encoder that its config alone gives."""

    @property
    def bins(self) -> int:
        """Number of values of an input frame."""
        ...

    @property
    def width(self) -> int:
        """D, the width of the encoder."""
        ...

    @property
    def depth(self) -> int:
        """Number of blocks."""
        ...

    @property
    def hears(self) -> Hears:
        """See ``Student.hears``."""
        ...

    def full(self, blocks: int) -> Ranks:
        """The encoder's own ranks."""
        ...

    def build(self, ranks: Ranks) -> Encoder:
        """A new encoder of these ranks with random weights."""
        ...

    def copy_weights(self, model: nn.Module, encoder: Encoder) -> None:
        """Copy the weights of transformers' model into an encoder of full ranks, in place."""
        ...


class InheritedNetwork(nn.Module):
    """See the module docstring; made by ``Inherited.build``."""

    def __init__(self, encoder: Encoder, width: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        # It has no learnt gain, because ``classify`` follows and can learn the gain as well.
        self.embed = nn.BatchNorm1d(2 * width, affine=False)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(2 * width, num_classes)

    def forward(
        self, features: Float[Tensor, "N 1 bins frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``; maps are the blocks' outputs ``(N, D, 1, w)``."""
        outputs, mask = self.encoder(features, lengths)
        embedding = self.embed(statistics(outputs[-1], mask))
        maps = tuple(x.transpose(1, 2)[:, :, None] for x in outputs)
        return StudentOutput(
            logits=self.classify(self.dropout(embedding)),
            embedding=embedding,
            maps=maps,
            masks=(mask,) * len(maps),
            last_map=maps[-1],
            last_mask=mask,
        )


def statistics(x: Float[Tensor, "N w D"], mask: Bool[Tensor, "N w"]) -> Float[Tensor, "N 2*D"]:
    """Mean and deviation over real frames, also under autocast in single precision."""
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    real = mask[..., None].to(x.dtype)
    count = real.sum(dim=1).clamp_min(1.0)
    mean = (x * real).sum(dim=1) / count
    variance = ((x - mean[:, None]).square() * real).sum(dim=1) / count
    return torch.cat([mean, (variance + 1e-6).sqrt()], dim=-1)
