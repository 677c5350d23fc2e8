"""``speech-encoder``: any wav2vec 2.0, HuBERT, WavLM, data2vec-audio or Whisper encoder, frozen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, Field

from serbench.api import Params, Teacher, TeacherError, TeacherFeatures
from serbench_teachers.cards import Pretrained

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from serbench_teachers.encoders import LoadedEncoder


def _one_corpus(name: str) -> str:
    """Check that a name is a single corpus: a name that is hidden in a list would match
    no corpus.
    """
    if not any(map(str.isalnum, name)) or any(mark in name for mark in ",;+&"):
        raise ValueError(f'{name!r} is not the name of one corpus; write ["RAVDESS", "TESS"]')
    return name


CorpusNames = tuple[Annotated[str, AfterValidator(_one_corpus)], ...]


class SpeechEncoderParams(Params):
    """The encoder, and the layer whose output is used."""

    model: str = Field(default="facebook/wav2vec2-large", min_length=1)
    """Hub id, or a local folder with config.json, preprocessor_config.json and weights."""
    layer: Annotated[int, Field(ge=0)] | Literal["middle", "mix"] = "middle"
    """Hidden state: 0 is the input of the first layer, k the output of layer k; ``middle`` is half
    the depth; ``mix`` is all of them, weighted inside the training partition.
    """
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """``auto``: bf16 if the hardware computes in it, else fp32."""
    trained_on: CorpusNames | None = None
    """All corpora that the encoder was trained on, if no card lists them. If there is a card, they
    are added to its corpora.
    """


class SpeechEncoder(Pretrained, Teacher):
    """A frozen encoder of transformers; pooled embeddings are mean and deviation over time."""

    name: ClassVar[str] = "speech-encoder"
    Params: ClassVar[type[BaseModel]] = SpeechEncoderParams
    params: SpeechEncoderParams

    def __init__(self, params: SpeechEncoderParams) -> None:
        self.params = params
        self._encoder: LoadedEncoder | None = None

    @property
    def frame_rate_hz(self) -> float:
        """Frames per second (50 for all published encoders); known after ``load``."""
        return self._loaded.frame_rate_hz

    @property
    def _loaded(self) -> LoadedEncoder:
        if self._encoder is None:
            raise TeacherError(f"{self.params.model} is not loaded: call load first")
        return self._encoder

    def load(self, device: torch.device) -> None:
        """Load the layers that are needed, frozen; see ``Teacher``."""
        # transformers takes seconds to import, and a run on cached embeddings needs none of it.
        from serbench_teachers.loading import depth, load_encoder, read_config
        from serbench_teachers.precision import choose_precision

        config = read_config(self._checkpoint.folder)
        indices = self._indices(depth(config))
        dtype = choose_precision(self.params.precision, device)
        self._encoder = load_encoder(self._checkpoint, indices, dtype, device)

    def embed(self, waveforms: Sequence[Tensor]) -> Sequence[TeacherFeatures]:
        """Embed ``(samples,)`` waveforms: pooled ``(L, 2 D)``, frames ``(L, F, D)``."""
        from serbench_teachers.encoders import pooled_states

        return pooled_states(self._loaded, waveforms)

    def _indices(self, layers: int) -> tuple[int, ...]:
        layer = self.params.layer
        if layer == "mix":
            return tuple(range(layers + 1))
        if layer == "middle":
            return (layers // 2,)
        if layer > layers:
            raise TeacherError(
                f"{self.params.model} has hidden states 0 to {layers}, but layer is {layer}"
            )
        return (layer,)
