"""The sizes and the weights of an encoder, from a checkpoint's files."""

from __future__ import annotations

import torch

from serbench_inherited.network import Encoder, Sizes
from serbench_inherited.waveform import WaveformSizes
from serbench_inherited.whisper import PUBLISHED, WhisperSizes
from serbench_teachers.weights import PREPROCESSOR, Checkpoint, find_config


def sizes_of(model: str) -> Sizes:
    """The sizes of a published Whisper, or the sizes in a model's configs.

    Raises:
        TeacherError: the config is not available, or not that of an encoder that can be inherited.
    """
    if model in PUBLISHED:
        return PUBLISHED[model]
    from serbench_teachers.loading import read_config  # takes seconds to import

    folder = find_config(model)
    config = read_config(folder)
    if config.model_type == "whisper":
        return WhisperSizes.of(config)
    return WaveformSizes.of(config, folder / PREPROCESSOR)


def load_whole(checkpoint: Checkpoint, sizes: Sizes, blocks: int) -> Encoder:
    """The first blocks of an encoder with all their weights, frozen.

    Raises:
        TeacherError: the files are damaged or incomplete.
    """
    from serbench_teachers.loading import load_model

    model, _ = load_model(checkpoint)
    with torch.random.fork_rng(devices=[]):
        encoder = sizes.build(sizes.full(blocks))
    sizes.copy_weights(model, encoder)
    return encoder.requires_grad_(requires_grad=False).eval()
