"""``encoder-frames``: hidden states of a frozen pretrained speech encoder."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, Field, NonNegativeInt

from serbench.api import Framing, FrontEnd, FrontEndParams, TeacherError
from serbench_teachers.cards import Pretrained
from serbench_teachers.speech_encoder import CorpusNames
from serbench_teachers.weights import find_config

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig


def _ascending(layers: tuple[int, ...]) -> tuple[int, ...]:
    if list(layers) != sorted(set(layers)):
        raise ValueError(f"{list(layers)} must be in ascending order, each layer once")
    return layers


Layers = Annotated[tuple[NonNegativeInt, ...], Field(min_length=1), AfterValidator(_ascending)]


class EncoderFramesParams(FrontEndParams):
    """The encoder, and those of its hidden states that are used."""

    model: str = Field(default="facebook/wav2vec2-base", min_length=1)
    """Hub id, or a local folder with config.json, preprocessor_config.json and weights."""
    layers: Literal["all", "last"] | Layers = "all"
    """Hidden states: 0 is the input of the first layer, k the output of layer k."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Precision that the encoder computes in."""
    half: bool = True
    """Whether frames are stored in float16, which takes half the space."""
    trained_on: CorpusNames | None = None
    """All corpora that the encoder was trained on, if no card lists them. If there is a card, they
    are added to its corpora.
    """


class EncoderFrames(Pretrained, FrontEnd):
    """Hidden states of a frozen wav2vec 2.0, HuBERT, WavLM, data2vec-audio or Whisper encoder.

    A frame contains L hidden states of D values, one after another in the order of ``layers``:
    ``[state 0 | state 1 | …]``, so that ``frames.unflatten(-1, (L, D))`` separates them. For an
    encoder with 12 layers, ``all`` means L = 13 states; the first state is the input of the first
    layer. No frame depends on other utterances in the same batch, and padding gives no frames.
    """

    name: ClassVar[str] = "encoder-frames"
    Params: ClassVar[type[BaseModel]] = EncoderFramesParams
    params: EncoderFramesParams

    @property
    def width(self) -> int:
        """Number of values of a frame: L · D.

        Raises:
            TeacherError: the encoder's config is not available, or it has no such layer.
        """
        whisper = self._config.model_type == "whisper"
        size = self._config.d_model if whisper else self._config.hidden_size
        return len(self.indices) * int(size)

    @property
    def framing(self) -> Framing:
        """The encoder's own frames that are completely within the utterance. In all published
        encoders, they are 20 ms apart.
        """
        from serbench_teachers.encoders import WHISPER_STRIDE

        if self._config.model_type == "whisper":
            return Framing(WHISPER_STRIDE, WHISPER_STRIDE, centred=False, whole=True)
        kernels, strides = self._config.conv_kernel, self._config.conv_stride
        window = 1
        for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
            window = (window - 1) * stride + kernel
        return Framing(window, math.prod(strides), centred=False, whole=True)

    @property
    def half(self) -> bool:
        """See ``EncoderFramesParams``."""
        return self.params.half

    @property
    def not_exported(self) -> str:
        """See ``FrontEnd``."""
        return "it runs a whole pretrained encoder"

    @property
    def indices(self) -> tuple[int, ...]:
        """Indices of the L hidden states that are used.

        Raises:
            TeacherError: the encoder has no such layer.
        """
        from serbench_teachers.loading import depth

        layers, last = self.params.layers, depth(self._config)
        if layers == "all":
            return tuple(range(last + 1))
        if layers == "last":
            return (last,)
        if layers[-1] > last:
            raise TeacherError(
                f"{self.params.model} has hidden states 0 to {last}, but front_end.layers "
                f"contains {layers[-1]}"
            )
        return layers

    @cached_property
    def _config(self) -> PretrainedConfig:
        # transformers takes seconds to import, so only those who use it should wait for it.
        from serbench_teachers.loading import read_config

        return read_config(find_config(self.params.model))

    def build(self) -> nn.Module:
        """The encoder, loaded and frozen; see ``FrontEnd``.

        Raises:
            TeacherError: the weights are not available, or are damaged.
        """
        from serbench_front_ends.transforms.encoder_frames import FrozenEncoder

        return FrozenEncoder(self._checkpoint, self)
