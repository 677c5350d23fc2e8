"""From a checkpoint's files to the sizes and the weights of its encoder."""

from __future__ import annotations

from pathlib import Path

import torch

from serbench.api import TeacherError
from serbench_inherited.network import Encoder
from serbench_inherited.whisper import WhisperSizes, copy_weights
from serbench_teachers.loading import load_model, read_config
from serbench_teachers.weights import Checkpoint


def sizes_of(folder: Path) -> WhisperSizes:
    """The sizes that a folder's config.json says.

    Raises:
        TeacherError: no config of an encoder that can be inherited.
    """
    config = read_config(folder)
    if config.model_type != "whisper":
        raise TeacherError(
            f"{folder} holds a model of type {config.model_type!r}, which cannot be inherited yet; "
            "take a Whisper"
        )
    return WhisperSizes.of(config)


def load_whole(checkpoint: Checkpoint, sizes: WhisperSizes, blocks: int) -> Encoder:
    """The first blocks of an encoder with all their weights, frozen.

    Raises:
        TeacherError: damaged or incomplete files.
    """
    model, _ = load_model(checkpoint)
    with torch.random.fork_rng(devices=[]):
        encoder = sizes.build(sizes.full(blocks))
    copy_weights(model, encoder)
    return encoder.requires_grad_(requires_grad=False).eval()
