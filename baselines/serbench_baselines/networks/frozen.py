"""The network of ``frozen``; see ``serbench_baselines.frozen``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from serbench.api import StudentOutput
from serbench_baselines.networks.masked import attended, by_length, mean_over_time

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class LayerMix(nn.Module):
    """``Σ_l softmax(w)_l h_l``: one learned weight for each of L layers, equal at first."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers))

    def forward(self, x: Float[Tensor, "N *frames LD"]) -> Float[Tensor, "N *frames D"]:
        """Mix the layers, which are end to end in ``x``."""
        layers = x.unflatten(-1, (len(self.weights), -1))  # (N, …, L, D)
        return self.weights.softmax(dim=0).to(x.dtype) @ layers


class Head(nn.Module, ABC):
    """Pools the frames of each window, then applies a linear layer.

    In training, it computes little for padding, by ``by_length``.
    """

    classify: nn.Linear

    def forward(
        self, features: Float[Tensor, "N 1 LD frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``; with several layers, ``LD`` is all their values, end to end."""
        embed = partial(by_length, self.pooled) if self.training else self.pooled
        embedding = embed(features, lengths)
        return StudentOutput(self.classify(embedding), embedding)

    @abstractmethod
    def pooled(
        self, features: Float[Tensor, "N 1 LD frames"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N E"]:
        """The embedding that is classified."""


class LinearHead(Head):
    """Linear, ReLU, mean over time, linear."""

    def __init__(self, inputs: int, width: int, num_classes: int) -> None:
        super().__init__()
        self.project = nn.Linear(inputs, width)
        self.classify = nn.Linear(width, num_classes)

    def pooled(
        self, features: Float[Tensor, "N 1 LD frames"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N E"]:
        """See ``Head``."""
        x = self.project(features[:, 0].transpose(1, 2)).relu()  # (N, frames, width)
        return mean_over_time(x.transpose(1, 2), lengths)


class MeanHead(Head):
    """Layer weights, linear, mean over time, linear.

    The mean of a projection is the projection of the mean. So frames are averaged first.
    """

    def __init__(self, layers: int, inputs: int, width: int, num_classes: int) -> None:
        super().__init__()
        self.mix = LayerMix(layers)
        self.project = nn.Linear(inputs, width)
        self.classify = nn.Linear(width, num_classes)

    def pooled(
        self, features: Float[Tensor, "N 1 LD frames"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N E"]:
        """See ``Head``."""
        return self.project(self.mix(mean_over_time(features[:, 0], lengths)))  # (N, width)


class AttentiveHead(Head):
    """Layer weights, linear, self-attentive pooling (Safari et al., Interspeech 2020), linear."""

    def __init__(self, layers: int, inputs: int, width: int, num_classes: int) -> None:
        super().__init__()
        self.mix = LayerMix(layers)
        self.project = nn.Linear(inputs, width)
        self.attend = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))
        self.classify = nn.Linear(width, num_classes)

    def pooled(
        self, features: Float[Tensor, "N 1 LD frames"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N E"]:
        """See ``Head``."""
        x = self.project(self.mix(features[:, 0].transpose(1, 2)))  # (N, frames, width)
        return attended(x, self.attend(x)[..., 0], lengths)
