"""Magnitude pruning: the smallest weights of all layers together are set to 0."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

WEIGHT = "weight"
"""The name of a layer's matrix or kernel."""


def prunable_layers(network: nn.Module) -> dict[str, nn.Module]:
    """Layers with a weight matrix or a kernel of their own, by name.

    Biases, normalisations and weights that two layers share are not pruned.
    """
    layers = {
        name: module
        for name, module in network.named_modules()
        if isinstance(weight := module._parameters.get(WEIGHT), Tensor) and weight.ndim > 1
    }
    uses = Counter(id(module.weight) for module in layers.values())
    return {name: module for name, module in layers.items() if uses[id(module.weight)] == 1}


def smallest_masked(network: nn.Module, amount: float) -> dict[str, Tensor]:
    """Masks by layer: 0 for the smallest weights by absolute value over all layers together.

    Han et al., *Learning both Weights and Connections* (NeurIPS 2015), with one threshold for all
    layers; computed by ``torch.nn.utils.prune``.

    Args:
        network: it is not changed.
        amount: share of the weights, 0 … 1.
    """
    layers = prunable_layers(deepcopy(network))
    prune.global_unstructured(
        [(module, WEIGHT) for module in layers.values()],
        pruning_method=prune.L1Unstructured,
        amount=amount,
    )
    masks = {name: module.get_buffer(f"{WEIGHT}_mask") for name, module in layers.items()}
    return {name: mask.clone() for name, mask in masks.items()}


class Masked(nn.Module):
    """A weight times its mask, whenever it is read.

    ``torch.nn.utils.prune`` keeps the product as a plain attribute, which a backend's copy of a
    trained network cannot have; a parametrisation can be copied.
    """

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask.clone())

    def forward(self, weight: Tensor) -> Tensor:
        """Return a weight of the same shape, 0 where the mask is 0."""
        return weight * self.get_buffer("mask")


def hold(network: nn.Module, masks: Mapping[str, Tensor]) -> nn.Module:
    """Apply the masks, in training too, until ``settle`` is called; in place."""
    for name, mask in masks.items():
        parametrize.register_parametrization(network.get_submodule(name), WEIGHT, Masked(mask))
    return network


def settle(network: nn.Module, masks: Mapping[str, Tensor]) -> nn.Module:
    """Write the masked weights into the network itself, in place, and remove the masks.

    Copies that were made of the network in between share its class, and can no longer be used.
    """
    for name in masks:
        parametrize.remove_parametrizations(network.get_submodule(name), WEIGHT)
    return network


def silence_weights(network: nn.Module, masks: Mapping[str, Tensor]) -> nn.Module:
    """Set the masked weights to 0, in place."""
    with torch.no_grad():
        for name, mask in masks.items():
            network.get_parameter(f"{name}.{WEIGHT}" if name else WEIGHT).mul_(mask)
    return network
