"""Heads on a frozen speech encoder: ``frozen-linear``, ``frozen-mean`` and ``frozen-attentive``.

The encoder runs once over every utterance (front end ``encoder-frames``); only the head is trained.
``frozen-linear`` is EmoBox's (Ma et al., Interspeech 2024): last layer, linear 256, ReLU, mean over
time, linear. ``frozen-mean`` and ``frozen-attentive`` are SUPERB's (Yang et al., Interspeech 2021):
a learned weight for each layer, linear 256, mean or self-attentive pooling, linear.

Published: Adam at 1e-4, batches of 32; EmoBox 20 epochs, SUPERB 30,000 steps; the encoder's values
are not scaled. Not published: the attention's hidden layer, here linear 256 and ReLU; how many of
SUPERB's steps a small corpus needs, here 100 epochs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveInt

from serbench.api import Hears, Params, PluginError, Student, StudentShape

if TYPE_CHECKING:
    from torch import nn


class FrozenParams(Params):
    """The encoder, and the width of the head."""

    model: str = Field(default="facebook/hubert-base-ls960", min_length=1)
    """Hub id, or a local folder with config.json, preprocessor_config.json and weights."""
    width: PositiveInt = 256
    """Width of the head's hidden layer."""
    trained_on: tuple[str, ...] | None = None
    """All corpora that the encoder was trained on, if no card lists them; added to those of a card.
    """


class Frozen(Student):
    """Base of the heads on a frozen encoder.

    Attributes:
        layers: layers of the encoder that the head reads.
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
        """L: the number of the encoder's layers that are end to end in a frame.

        Raises:
            PluginError: the frames are not those of this encoder.
            TeacherError: the encoder's config is not available.
        """
        own = encoder_width(self.params.model)
        if shape.channels != 1 or shape.n_mels % own:
            raise PluginError(
                f"student {self.name!r} needs layers of {own} values of {self.params.model}, but "
                f"a frame has {shape.channels} × {shape.n_mels}; keep the default "
                "front_end.model, front_end.layers and front_end.deltas"
            )
        return shape.n_mels // own


def encoder_width(model: str) -> int:
    """D, the width of an encoder's hidden states, from its config alone.

    Raises:
        TeacherError: the config is not available.
    """
    from serbench_teachers.loading import read_config  # takes seconds to import
    from serbench_teachers.weights import find_config

    config = read_config(find_config(model))
    return int(config.d_model if config.model_type == "whisper" else config.hidden_size)


class FrozenLinear(Frozen):
    """EmoBox's head on the last layer."""

    name = "frozen-linear"
    layers = "last"

    def build(self, shape: StudentShape) -> nn.Module:
        """A new head; see ``Student``.

        Raises:
            PluginError: the frames have more than one layer or are not those of the encoder.
        """
        from serbench_baselines.networks.frozen import LinearHead

        if (depth := self.depth(shape)) != 1:
            raise PluginError(
                f"student 'frozen-linear' needs one layer, but a frame has {depth}; keep the "
                "default front_end.layers"
            )
        return LinearHead(shape.n_mels, self.params.width, shape.num_classes)


class FrozenMean(Frozen):
    """SUPERB's head with mean pooling."""

    name = "frozen-mean"

    def build(self, shape: StudentShape) -> nn.Module:
        """A new head; see ``Student`` and ``Frozen.depth``."""
        from serbench_baselines.networks.frozen import MeanHead

        depth = self.depth(shape)
        return MeanHead(depth, shape.n_mels // depth, self.params.width, shape.num_classes)


class FrozenAttentive(Frozen):
    """SUPERB's head with self-attentive pooling."""

    name = "frozen-attentive"

    def build(self, shape: StudentShape) -> nn.Module:
        """A new head; see ``Student`` and ``Frozen.depth``."""
        from serbench_baselines.networks.frozen import AttentiveHead

        depth = self.depth(shape)
        return AttentiveHead(depth, shape.n_mels // depth, self.params.width, shape.num_classes)
