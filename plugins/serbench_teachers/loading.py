"""Loads a frozen encoder from a checkpoint's files."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import torch
import transformers
from safetensors import SafetensorError
from torch import nn

from serbench.api import SAMPLE_RATE_HZ, TeacherError, import_torchaudio, read_json
from serbench_teachers.encoders import (
    Extractor,
    LoadedEncoder,
    WaveformEncoderRunner,
    WhisperEncoderRunner,
)
from serbench_teachers.quiet import quiet_transformers
from serbench_teachers.weights import CONFIG, Checkpoint

WAVEFORM_MODELS = ("data2vec-audio", "hubert", "wav2vec2", "wavlm")
MODEL_TYPES = (*WAVEFORM_MODELS, "whisper")

_UNREADABLE = (
    *(OSError, ValueError, RuntimeError, KeyError, EOFError),
    *(SafetensorError, pickle.UnpicklingError),
)
"""Errors that transformers, safetensors and torch raise for files that are damaged or not safe."""

_UNUSED = ("masked_spec_embed",)
"""Parameters that only pretraining uses; some checkpoints lack them."""

_DECODER = "decoder."
"""Prefix of Whisper's decoder, which is not used, and which a classifier made of Whisper
does not have.
"""


def load_encoder(
    checkpoint: Checkpoint, indices: Sequence[int], dtype: torch.dtype, device: torch.device
) -> LoadedEncoder:
    """Load an encoder, frozen and in evaluation mode.

    Args:
        checkpoint: its files.
        indices: indices of the hidden states to return, ascending; 0 is the embedding output.
        dtype: data type of weights and activations.
        device: the encoder's device.

    Raises:
        TeacherError: the files are damaged, of an unknown type, or lack some of the weights.
    """
    model, extractor = load_model(checkpoint)
    whisper = read_config(checkpoint.folder).model_type == "whisper"
    with quiet_transformers():
        model.requires_grad_(requires_grad=False)
        model.eval().to(device=device, dtype=dtype)
        runner = WhisperEncoderRunner if whisper else WaveformEncoderRunner
        return runner(model, extractor, indices)


def load_model(checkpoint: Checkpoint) -> tuple[nn.Module, Extractor]:
    """An encoder of transformers in single precision, and its feature extractor.

    Raises:
        TeacherError: the files are damaged, of an unknown type, or lack some of the weights.
    """
    import_torchaudio()  # before transformers' lazily loaded modules import it
    folder = checkpoint.folder
    config = read_config(folder)
    with quiet_transformers():
        try:
            extractor = transformers.AutoFeatureExtractor.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            model = _pretrained(folder, config)
        except _UNREADABLE as error:
            raise TeacherError(f"{folder} cannot be loaded: {_reason(error)}") from error
        _check_rate(extractor, folder)
        return model, extractor


def read_config(folder: Path) -> transformers.PretrainedConfig:
    """The config of a supported encoder.

    Raises:
        TeacherError: the config cannot be read, or its type is not supported.
    """
    import_torchaudio()
    try:
        model_type = read_json((folder / CONFIG).read_bytes()).get("model_type")  # pyright: ignore[reportAttributeAccessIssue]
        if model_type not in MODEL_TYPES:
            raise TeacherError(
                f"{folder} contains a model of type {model_type!r}; speech-encoder reads "
                f"{', '.join(MODEL_TYPES)}"
            )
        with quiet_transformers():
            return transformers.AutoConfig.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
    except (OSError, ValueError, AttributeError) as error:
        raise TeacherError(f"{folder / CONFIG} is damaged: {_first_line(error)}") from error


def depth(config: transformers.PretrainedConfig) -> int:
    """Number of transformer layers of the encoder."""
    return int(
        config.encoder_layers if config.model_type == "whisper" else config.num_hidden_layers
    )


def _pretrained(folder: Path, config: transformers.PretrainedConfig) -> nn.Module:
    """The model with all weights from the files, so that none keeps its random start value."""
    whole = "WhisperEncoder" not in (config.architectures or ())
    if config.model_type != "whisper":
        source = transformers.AutoModel
    else:
        source = transformers.WhisperModel if whole else _whisper_encoder()
    loaded = source.from_pretrained(
        folder,
        config=config,
        dtype=torch.float32,
        local_files_only=True,
        trust_remote_code=False,  # runs no code of the folder
        weights_only=True,  # runs no pickled code either
        output_loading_info=True,
    )
    model, report = cast("tuple[nn.Module, dict[str, Iterable[str]]]", loaded)
    if isinstance(model, transformers.WhisperModel):
        model = model.get_encoder()
    missing = sorted(
        name
        for name in report["missing_keys"]
        if not name.endswith(_UNUSED) and not name.startswith(_DECODER)
    )
    if missing:
        raise TeacherError(
            f"{folder}: {len(missing)} weights of the encoder are missing from its files, for "
            f"instance {missing[0]}; copy or download it again"
        )
    return model


def _whisper_encoder() -> type[transformers.PreTrainedModel]:
    """The class of the encoder alone, which transformers does not export."""
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    return WhisperEncoder


def _check_rate(extractor: object, folder: Path) -> None:
    rate_hz = getattr(extractor, "sampling_rate", None)
    if rate_hz != SAMPLE_RATE_HZ:
        raise TeacherError(f"{folder} expects speech at {rate_hz} Hz; only 16000 Hz is supported")


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")


_CODE = (
    ("trust_remote_code", "it contains its own code, which serbench does not run"),
    ("weights_only", "its weights are a pickle that would run code when it is read"),
    ("upgrade torch", "its weights are a pickle, which this version of torch reads unsafely"),
)
"""Texts in errors of transformers and torch about a folder that would run code, and our
own shorter texts.
"""


def _reason(error: Exception) -> str:
    """Why a folder cannot be loaded, in one line; if it would run code, in our own words."""
    said = str(error).casefold()
    pickled = isinstance(error, pickle.UnpicklingError)
    for mark, reason in _CODE:
        if mark in said or (pickled and mark == "weights_only"):
            return f"{reason}; use safetensors weights of a supported encoder from its own page"
    return _first_line(error)
