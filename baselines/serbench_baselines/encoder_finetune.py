"""``encoder-finetune``: a pretrained speech encoder, trained as a whole.

It follows the fine-tuning of wav2vec 2.0 by Chen & Rudnicky ("Exploring wav2vec 2.0 fine-tuning for
improved speech emotion recognition", ICASSP 2023, V-FT). The convolutions and the projection of
their output are frozen, and the transformer is trained with masks over time and over features; then
come ReLU, mean over the real frames, linear. HuBERT, WavLM and Whisper's encoder are trained in the
same way, but Whisper's masks are applied to its log-mel.

Published: Adam at 1e-4, batches of 64, 15 epochs, inverse-frequency class weights, the last epoch;
the first 10 s of an utterance in training and all of it in test; at least two spans of frames and
one of features are masked. Decided here: the middle 10 s of longer utterances in both, as for all
methods; no layer dropout; no least number of spans.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from pydantic import Field, PositiveInt

from serbench.api import (
    SAMPLE_RATE_HZ,
    Hears,
    Params,
    PluginError,
    Student,
    StudentShape,
    Windows,
)
from serbench_teachers.cards import Pretrained

if TYPE_CHECKING:
    from torch import nn

    from serbench_baselines.networks.encoder_finetune import FinetunedNetwork


class EncoderFinetuneParams(Params):
    """The encoder, the parts of it that are trained, and the masks in training."""

    model: str = Field(default="facebook/wav2vec2-base", min_length=1)
    """Hub id, or a local folder with config.json, preprocessor_config.json and weights."""
    layers: PositiveInt | None = None
    """Number of the encoder's first layers that are used; None: all."""
    freeze_convolutions: bool = True
    """Freeze the convolutions and the projection after them."""
    time_mask: float = Field(default=0.08, ge=0.0, lt=1.0)
    """Share of the frames that are masked in training; 0: none."""
    time_mask_frames: PositiveInt = 15
    """Width of each time mask, in frames: of 20 ms, and of 10 ms for Whisper."""
    feature_mask: float = Field(default=0.05, ge=0.0, lt=1.0)
    """Share of the values, or mel filters, that are masked in all frames of a window."""
    feature_mask_width: PositiveInt = 64
    """Width of each feature mask."""
    trained_on: tuple[str, ...] | None = None
    """All corpora that the encoder was trained on, if no card lists them; added to those of a card.
    """


class EncoderFinetune(Pretrained, Student):
    """A pretrained speech encoder, trained as a whole, and a linear layer."""

    name = "encoder-finetune"
    Params = EncoderFinetuneParams
    params: EncoderFinetuneParams

    @property
    def hears(self) -> Hears:
        """Whisper's log-mel, or samples in frames of the encoder; see ``Student``."""
        config = self._config
        if config.model_type == "whisper":
            return Hears("whisper", {"n_mels": config.num_mel_bins})
        return Hears("waveform", {"hop_s": self._values / SAMPLE_RATE_HZ})

    @cached_property
    def _config(self) -> Any:
        from serbench_baselines.networks.finetune_encoders import config_of

        return config_of(self.params.model, self.params.layers)

    @property
    def _values(self) -> int:
        """Number of values of a frame of the encoder's input."""
        if self._config.model_type == "whisper":
            return self._config.num_mel_bins
        hop = 1
        for stride in self._config.conv_stride:
            hop *= stride
        return hop

    def build(self, shape: StudentShape) -> nn.Module:
        """The encoder with new weights, and a head; see ``Student``.

        Raises:
            PluginError: ``shape`` is not that of the encoder's input.
            TeacherError: the encoder's config is not available, or this student cannot train it.
        """
        from serbench_baselines.networks import encoder_finetune
        from serbench_baselines.networks.finetune_encoders import SpanMasks, build_encoder

        if (shape.channels, shape.n_mels) != (1, self._values):
            raise PluginError(
                f"{self.params.model} needs one channel of {self._values} values, but the front "
                f"end gives {shape.channels} of {shape.n_mels}; keep the default front_end"
            )
        own = self.params
        masks = SpanMasks(
            (own.time_mask, own.time_mask_frames), (own.feature_mask, own.feature_mask_width)
        )
        encoder = build_encoder(own.model, own.layers, masks, freeze=own.freeze_convolutions)
        return encoder_finetune.FinetunedNetwork(encoder, shape.num_classes)

    def inherit(self, network: nn.Module, speech: Iterable[Windows]) -> None:  # noqa: ARG002 - it needs no speech
        """Load the encoder's weights; see ``Student``."""
        from serbench_baselines.networks.finetune_encoders import load_weights

        load_weights(self._checkpoint, cast("FinetunedNetwork", network).encoder)
