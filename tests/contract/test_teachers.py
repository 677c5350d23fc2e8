from __future__ import annotations

from pathlib import Path

import pytest
import torch

from serbench.api.torchaudio_compat import import_torchaudio
from serbench.running.plugins import Provided, load_plugins
from serbench.testing import check_teacher

TEACHERS = load_plugins().items("teachers")


def tiny_encoder(folder: Path) -> None:
    """A wav2vec 2.0 with random weights, as transformers stores one."""
    import_torchaudio()  # transformers imports it
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
    )
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)


@pytest.mark.parametrize("teacher", TEACHERS, ids=lambda item: item.name)
def test_every_teacher_keeps_its_contract(teacher: Provided, tmp_path: Path) -> None:
    params: dict[str, object] = {}
    if "model" in teacher.cls.Params.model_fields:  # pyright: ignore[reportAttributeAccessIssue]
        tiny_encoder(tmp_path)
        params = {"model": str(tmp_path)}
    check_teacher(teacher.cls, params)
