"""The network of a student that inherits: an encoder's first blocks, statistics pooling, a head."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import StudentOutput
from serbench_inherited.budget import Ranks

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

FAR_BELOW = -3e4
"""A score that softmax turns into 0; unlike minus infinity it also gives no NaN where a window
has no real frame at all, and half precision holds it."""


def frame_mask(lengths: Int[Tensor, " N"], frames: int) -> Bool[Tensor, "N frames"]:
    """True on real frames."""
    return torch.arange(frames, device=lengths.device)[None, :] < lengths[:, None]


class Attention(nn.Module):
    """Multi-head self-attention whose heads may be narrower than the encoder's.

    Scores keep the encoder's scale. Keys and values have no bias: softmax does not see a constant
    in the scores of a query, and weights that sum to 1 pass a value's bias on to the output.

    Args:
        width: D.
        heads: as many as the encoder has.
        query: dimensions of query and key, per head.
        value: of value.
        scale: factor on the scores.
    """

    def __init__(self, width: int, heads: int, query: int, value: int, scale: float) -> None:
        super().__init__()
        self.heads, self.scale = heads, scale
        self.query = nn.Linear(width, heads * query)
        self.key = nn.Linear(width, heads * query, bias=False)
        self.value = nn.Linear(width, heads * value, bias=False)
        self.output = nn.Linear(heads * value, width)

    def mixed(
        self, x: Float[Tensor, "N w D"], mask: Bool[Tensor, "N w"], values: Float[Tensor, "N w V"]
    ) -> Float[Tensor, "N w V"]:
        """``values`` of all heads, mixed over time by the attention weights of ``x``."""
        # Two plain products: at so few dimensions a head they are faster on a CPU than the fused
        # kernel, and they export cleanly.
        query, key = self.split(self.query(x)), self.split(self.key(x))
        scores = query @ key.transpose(-2, -1) * self.scale  # (N, heads, w, w)
        scores = scores.masked_fill(~mask[:, None, None, :], FAR_BELOW)
        mixed = scores.softmax(dim=-1).to(values.dtype) @ self.split(values)
        return mixed.transpose(1, 2).flatten(2)

    def split(self, x: Float[Tensor, "N w E"]) -> Float[Tensor, "N heads w e"]:
        """The heads of ``x``, one by one."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def forward(
        self, x: Float[Tensor, "N w D"], mask: Bool[Tensor, "N w"]
    ) -> Float[Tensor, "N w D"]:
        """``mask`` is True on real frames."""
        return self.output(self.mixed(x, mask, self.value(x)))


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
        """Framewise."""
        return self.contract(self.hidden(x))


class Block(nn.Module):
    """A pre-norm block; gains and biases of its norms are folded into what follows them."""

    def __init__(self, attention: Attention, feed: FeedForward, epsilon: float) -> None:
        super().__init__()
        width = attention.output.out_features
        self.attention, self.feed = attention, feed
        self.attention_norm = nn.LayerNorm(width, epsilon, elementwise_affine=False)
        self.feed_norm = nn.LayerNorm(width, epsilon, elementwise_affine=False)

    def forward(
        self, x: Float[Tensor, "N w D"], mask: Bool[Tensor, "N w"]
    ) -> Float[Tensor, "N w D"]:
        """``mask`` is True on real frames."""
        x = x + self.attention(self.attention_norm(x), mask)
        return x + self.feed(self.feed_norm(x))


class Encoder(nn.Module):
    """A front end, and blocks over its frames."""

    def __init__(self, front: nn.Module, blocks: list[Block]) -> None:
        super().__init__()
        self.front = front
        self.blocks = nn.ModuleList(blocks)

    def forward(
        self, features: Float[Tensor, "N 1 bins frames"], lengths: Int[Tensor, " N"]
    ) -> tuple[list[Tensor], Bool[Tensor, "N w"]]:
        """Output ``(N, w, D)`` of each block, and which of its frames are real."""
        x, lengths = self.front(features, lengths)
        mask = frame_mask(lengths, x.shape[1])
        outputs = []
        for block in self.blocks:
            x = block(x, mask)
            outputs.append(x)
        return outputs, mask

    @property
    def ranks(self) -> Ranks:
        """What it has of the pretrained encoder."""
        blocks = cast("list[Block]", list(self.blocks))
        return Ranks(
            channels=getattr(self.front, "channels", 0),
            query=tuple(b.attention.query.out_features // b.attention.heads for b in blocks),
            value=tuple(b.attention.value.out_features // b.attention.heads for b in blocks),
            units=tuple(b.feed.expand.out_features for b in blocks),
        )


class InheritedNetwork(nn.Module):
    """See the module docstring; made by ``Inherited.build``."""

    def __init__(self, encoder: Encoder, width: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        # Without learnt gain, since ``classify`` follows, which can learn it as well.
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
    """Mean and deviation over real frames, in single precision under autocast too."""
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    real = mask[..., None].to(x.dtype)
    count = real.sum(dim=1).clamp_min(1.0)
    mean = (x * real).sum(dim=1) / count
    variance = ((x - mean[:, None]).square() * real).sum(dim=1) / count
    return torch.cat([mean, (variance + 1e-6).sqrt()], dim=-1)
