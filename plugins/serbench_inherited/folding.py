"""Exact rewritings of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float


def folded(
    linear: nn.Linear, norm: nn.LayerNorm
) -> tuple[Float[Tensor, "out D"], Float[Tensor, " out"]]:
    """Weight and bias of ``linear`` after a norm without gain g and bias b: W g, and W b + bias."""
    weight = linear.weight.detach().double()
    constant = weight @ norm.bias.detach().double() + bias_of(linear)
    return weight * norm.weight.detach().double(), constant


def bias_of(layer: nn.Linear | nn.Conv1d) -> Float[Tensor, " out"]:
    """Its bias; 0 where it has none."""
    if layer.bias is None:
        return layer.weight.new_zeros(len(layer.weight))
    return layer.bias.detach()


@torch.no_grad()
def set_weights(layer: nn.Linear | nn.Conv1d, weight: Tensor, bias: Tensor | None = None) -> None:
    """Give a layer this weight, and this bias where it has one; rounded to its precision."""
    layer.weight.copy_(weight)
    if layer.bias is not None and bias is not None:
        layer.bias.copy_(bias)
