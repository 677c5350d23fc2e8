"""Rewrites weights without changing results: blocks of an encoder become blocks of our network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from serbench_inherited.network import Block

if TYPE_CHECKING:
    from jaxtyping import Float


def folded(
    linear: nn.Linear, norm: nn.LayerNorm | None
) -> tuple[Float[Tensor, "out D"], Float[Tensor, " out"]]:
    """Weight and bias of ``linear`` after a norm whose gain g and bias b are removed: W g, and W b
    + bias.
    """
    weight = linear.weight.detach().double()
    if norm is None:
        return weight, bias_of(linear).double()
    constant = weight @ norm.bias.detach().double() + bias_of(linear)
    return weight * norm.weight.detach().double(), constant


def bias_of(layer: nn.Linear | nn.Conv1d) -> Float[Tensor, " out"]:
    """The bias of a layer; 0 if it has none."""
    if layer.bias is None:
        return layer.weight.new_zeros(len(layer.weight))
    return layer.bias.detach()


@torch.no_grad()
def set_weights(layer: nn.Linear | nn.Conv1d, weight: Tensor, bias: Tensor | None = None) -> None:
    """Give a layer this weight, and this bias if it has a bias; both are rounded to its
    precision.
    """
    layer.weight.copy_(weight)
    if layer.bias is not None and bias is not None:
        layer.bias.copy_(bias)


@dataclass(frozen=True, slots=True)
class Parts:
    """The layers of a block of transformers, which have different names in different models.

    Attributes:
        query, key, value, output: layers of the attention.
        expand, contract: the two parts of the feed-forward layer.
        norms: norms of the attention and of the feed-forward layer.
    """

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    output: nn.Linear
    expand: nn.Linear
    contract: nn.Linear
    norms: tuple[nn.LayerNorm, nn.LayerNorm]


@torch.no_grad()
def copy_block(parts: Parts, block: Block) -> None:
    """Give ``block``, of full ranks, the weights of ``parts``."""
    norms: tuple[nn.LayerNorm | None, nn.LayerNorm | None] = parts.norms
    if isinstance(block.after_feed, nn.LayerNorm):
        block.after_attention.load_state_dict(parts.norms[0].state_dict())
        block.after_feed.load_state_dict(parts.norms[1].state_dict())
        norms = (None, None)
    attention, feed = block.attention, block.feed
    set_weights(attention.query, *folded(parts.query, norms[0]))
    set_weights(attention.key, folded(parts.key, norms[0])[0])
    value, constant = folded(parts.value, norms[0])
    set_weights(attention.value, value)
    output = parts.output.weight.double()
    set_weights(attention.output, output, bias_of(parts.output) + output @ constant)
    set_weights(feed.expand, *folded(parts.expand, norms[1]))
    set_weights(feed.contract, parts.contract.weight, parts.contract.bias)
