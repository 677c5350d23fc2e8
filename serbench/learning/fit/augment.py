"""What is done to a training window before a student sees it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from serbench.learning.features import Normaliser, spec_augment
from serbench.settings import AugmentSettings

NATURAL_LOG_PER_DB = float(np.log(10.0) / 10.0)
"""A gain of 1 dB adds this to the natural logarithm of mel power."""


def augmented(
    frames: Tensor,
    lengths: Tensor,
    settings: AugmentSettings,
    normaliser: Normaliser,
    rate_hz: float,
    generator: torch.Generator,
) -> Tensor:
    """A random gain, then SpecAugment's masks, on normalised log-mel ``(N, frames, mels)``."""
    if settings.gain_db:
        draw = 2.0 * torch.rand(len(frames), 1, 1, generator=generator) - 1.0
        gain = draw.to(frames.device) * settings.gain_db * NATURAL_LOG_PER_DB
        frames = frames + gain / normaliser.deviation.to(frames.device)
    return spec_augment(
        frames,
        lengths,
        generator,
        time_masks=settings.time_masks,
        time_mask_frames=round(settings.time_mask_s * rate_hz),
        mel_masks=settings.mel_masks,
        mel_mask_bins=min(settings.mel_mask_bins, frames.shape[-1]),
    )
