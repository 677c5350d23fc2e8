"""What is done to a training window before a student sees it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from serbench.learning.features import Normaliser, spec_augment
from serbench.settings import MethodSettings

PER_DB = {"log-mel": float(np.log(10.0) / 10.0), "whisper": 0.1 / 4.0}
"""A gain of 1 dB adds this to log-mel: natural logarithm of power, a quarter of Whisper's log10."""


def augmented(
    frames: Tensor,
    lengths: Tensor,
    settings: MethodSettings,
    normaliser: Normaliser,
    rate_hz: float,
    generator: torch.Generator,
) -> Tensor:
    """A random gain, then SpecAugment's masks, on normalised windows ``(N, frames, d)``.

    Masks hold the mean: of the training partition where frames are normalised by it, else of the
    window's own real frames, per filter; of a waveform, silence.
    """
    own, kind = settings.augment, settings.features.kind
    if own.gain_db:
        draw = 2.0 * torch.rand(len(frames), 1, 1, generator=generator) - 1.0
        gain_db = draw.to(frames.device) * own.gain_db
        if kind == "waveform":
            frames = frames * 10.0 ** (gain_db / 20.0)
        else:
            frames = frames + gain_db * PER_DB[kind] / normaliser.deviation.to(frames.device)
    raw = settings.features.normalise == "none" and kind != "waveform"
    return spec_augment(
        frames,
        lengths,
        generator,
        time_masks=own.time_masks,
        time_mask_frames=round(own.time_mask_s * rate_hz),
        mel_masks=own.mel_masks,
        mel_mask_bins=min(own.mel_mask_bins, frames.shape[-1]),
        fill=_means(frames, lengths) if raw else None,
    )


def _means(frames: Tensor, lengths: Tensor) -> Tensor:
    """``(N, 1, d)``: means of windows ``(N, frames, d)`` over their real frames."""
    at = torch.arange(frames.shape[1], device=frames.device)[None, :, None]
    real = (at < lengths[:, None, None]).to(frames.dtype)
    return (frames * real).sum(dim=1, keepdim=True) / lengths[:, None, None]
