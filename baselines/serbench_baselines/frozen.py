"""Heads on a frozen speech encoder: ``frozen-linear``, ``frozen-mean`` and ``frozen-attentive``.

The encoder runs once over every utterance (front end ``encoder-frames``); only the head is trained.
``frozen-linear`` is EmoBox's (Ma et al., Interspeech 2024): last layer, linear 256, ReLU, mean over
time, linear. ``frozen-mean`` and ``frozen-attentive`` are SUPERB's (Yang et al., Interspeech 2021):
a learned weight for each layer, linear 256, mean or self-attentive pooling, linear.

Published: Adam at 1e-4, batches of 32; EmoBox 20 epochs, SUPERB 30,000 steps. Not published: the
attention's hidden layer, here linear 256 and ReLU; how many of SUPERB's steps a small corpus takes,
here 100 epochs. Nothing scales the encoder's values, as published.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from serbench.api import Hears, Params, PluginError, Student, StudentOutput, StudentShape
from serbench_baselines.masked import attended, by_length, mean_over_time

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class FrozenParams(Params):
    """Which encoder is heard, and the width of the head."""

    model: str = Field(default="facebook/hubert-base-ls960", min_length=1)
    """Hub id, or a local folder with config.json, preprocessor_config.json and weights."""
    width: PositiveInt = 256
    """Of the head's hidden layer."""
    trained_on: tuple[str, ...] | None = None
    """All corpora that the encoder was trained on, where no card knows; they add to a card's."""


class Frozen(Student):
    """What the heads have in common.

    Attributes:
        layers: of the encoder that the head reads.
    """

    params: FrozenParams
    Params = FrozenParams
    layers: ClassVar[Literal["last", "all"]] = "all"

    @property
    def hears(self) -> Hears:
        """Frames of the encoder, all layers end to end or the last; see ``Student``."""
        asked: dict[str, object] = {
            "model": self.params.model,
            "layers": self.layers,
            "normalise": "none",
        }
        if self.params.trained_on is not None:
            asked["trained_on"] = self.params.trained_on
        return Hears("encoder-frames", asked)

    def depth(self, shape: StudentShape) -> int:
        """L: how many layers of the encoder lie end to end in a frame.

        Raises:
            PluginError: the frames are not those of this encoder.
            TeacherError: its config cannot be had.
        """
        own = encoder_width(self.params.model)
        if shape.channels != 1 or shape.n_mels % own:
            raise PluginError(
                f"student {self.name!r} reads layers of {own} values of {self.params.model}, and a "
                f"frame has {shape.channels} × {shape.n_mels}; leave front_end.model, "
                "front_end.layers and front_end.deltas as they are"
            )
        return shape.n_mels // own


def encoder_width(model: str) -> int:
    """D of an encoder's hidden states, from its config alone.

    Raises:
        TeacherError: the config cannot be had.
    """
    from serbench_teachers.loading import read_config  # takes seconds to import
    from serbench_teachers.weights import find_config

    config = read_config(find_config(model))
    return int(config.d_model if config.model_type == "whisper" else config.hidden_size)


class LayerMix(nn.Module):
    """``Σ_l softmax(w)_l h_l``: one learned weight for each of L layers, equal at first."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers))

    def forward(self, x: Float[Tensor, "N *frames LD"]) -> Float[Tensor, "N *frames D"]:
        """``x`` has the layers end to end."""
        layers = x.unflatten(-1, (len(self.weights), -1))  # (N, …, L, D)
        return self.weights.softmax(dim=0).to(x.dtype) @ layers


class Head(nn.Module, ABC):
    """Pools the frames of each window, then a linear layer; padding costs nothing in training."""

    classify: nn.Linear

    def forward(
        self, features: Float[Tensor, "N 1 LD frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``; of several layers, ``LD`` are all values, end to end."""
        embed = partial(by_length, self.pooled) if self.training else self.pooled
        embedding = embed(features, lengths)
        return StudentOutput(self.classify(embedding), embedding)

    @abstractmethod
    def pooled(
        self, features: Float[Tensor, "N 1 LD frames"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N E"]:
        """What is classified."""


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

    The mean of a projection is the projection of the mean, so that frames are averaged first.
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


class FrozenLinear(Frozen):
    """EmoBox's head on the last layer."""

    name = "frozen-linear"
    layers = "last"

    def build(self, shape: StudentShape) -> nn.Module:
        """A fresh head; see ``Student``.

        Raises:
            PluginError: the frames have more than one layer or are not those of the encoder.
        """
        if (depth := self.depth(shape)) != 1:
            raise PluginError(
                f"student 'frozen-linear' reads one layer, and a frame has {depth}; leave "
                "front_end.layers as it is"
            )
        return LinearHead(shape.n_mels, self.params.width, shape.num_classes)


class FrozenMean(Frozen):
    """SUPERB's head with mean pooling."""

    name = "frozen-mean"

    def build(self, shape: StudentShape) -> nn.Module:
        """A fresh head; see ``Student`` and ``Frozen.depth``."""
        depth = self.depth(shape)
        return MeanHead(depth, shape.n_mels // depth, self.params.width, shape.num_classes)


class FrozenAttentive(Frozen):
    """SUPERB's head with self-attentive pooling."""

    name = "frozen-attentive"

    def build(self, shape: StudentShape) -> nn.Module:
        """A fresh head; see ``Student`` and ``Frozen.depth``."""
        depth = self.depth(shape)
        return AttentiveHead(depth, shape.n_mels // depth, self.params.width, shape.num_classes)
