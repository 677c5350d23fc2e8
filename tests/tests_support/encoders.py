"""Folders with tiny encoders of random weights, of every type that serbench reads."""

from __future__ import annotations

import importlib
from pathlib import Path

import torch
import transformers

from serbench.api import import_torchaudio
from serbench_teachers.quiet import quiet_transformers

import_torchaudio()  # before transformers' lazily loaded modules import it
modeling_whisper = importlib.import_module("transformers.models.whisper.modeling_whisper")

TINY = {
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": (8, 8, 8),
    "conv_kernel": (10, 8, 4),
    "conv_stride": (5, 8, 8),
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
WHISPER = {
    "d_model": 16,
    "encoder_layers": 4,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 24,
    "vocab_size": 20,
    "num_mel_bins": 80,
    "max_source_positions": 1500,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
STABLE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}

KINDS: dict[str, tuple[type[transformers.PreTrainedModel], transformers.PretrainedConfig]] = {
    "wav2vec2-group": (transformers.Wav2Vec2Model, transformers.Wav2Vec2Config(**TINY)),
    "wav2vec2-layer": (transformers.Wav2Vec2Model, transformers.Wav2Vec2Config(**TINY, **STABLE)),
    "hubert-layer": (transformers.HubertModel, transformers.HubertConfig(**TINY, **STABLE)),
    "wavlm-layer": (transformers.WavLMModel, transformers.WavLMConfig(**TINY, **STABLE)),
    "data2vec": (
        transformers.Data2VecAudioModel,
        transformers.Data2VecAudioConfig(
            **{**TINY, "num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5}
        ),
    ),
    "whisper": (transformers.WhisperModel, transformers.WhisperConfig(**WHISPER)),
    "whisper-encoder": (modeling_whisper.WhisperEncoder, transformers.WhisperConfig(**WHISPER)),
}


def save(kind: str, folder: Path) -> Path:
    model_class, config = KINDS[kind]
    torch.manual_seed(1)
    with quiet_transformers():
        model_class(config).save_pretrained(folder)
        if kind.startswith("whisper"):
            transformers.WhisperFeatureExtractor().save_pretrained(folder)
        else:
            transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder
