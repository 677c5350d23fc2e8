"""Augmentation of training windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from serbench.api import FrontEnd
from serbench.learning.features import Normaliser
from serbench.settings import AugmentSettings

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


def augmented(
    frames: Tensor,
    lengths: Tensor,
    own: AugmentSettings,
    front_end: FrontEnd,
    normaliser: Normaliser,
    rate_hz: float,
    generator: torch.Generator,
) -> Tensor:
    """A random gain, then SpecAugment's masks, on normalised windows ``(N, frames, d)``.

    Masks are filled with a mean for each value: that of the training partition if frames are
    normalised by it, else that of the window's own real frames. Masks of samples are silence.
    """
    gain, normalise = front_end.gain, front_end.params.normalise
    # If each utterance's own mean is subtracted, a gain has no effect.
    if own.gain_db and gain is not None and normalise != "utterance":
        draw = 2.0 * torch.rand(len(frames), 1, 1, generator=generator) - 1.0
        gain_db = draw.to(frames.device) * own.gain_db
        if gain == "scale":
            frames = frames * 10.0 ** (gain_db / 20.0)
        else:
            per_db = torch.tensor(gain, dtype=frames.dtype, device=frames.device)
            frames = frames + gain_db * per_db / normaliser.deviation.to(frames.device)
    if not own.time_masks and not own.mel_masks:
        return frames
    raw = normalise in {"none", "range"} and gain != "scale"
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


def spec_augment(
    frames: Float[Tensor, "N frames mels"],
    lengths: Int[Tensor, " N"],
    generator: torch.Generator,
    *,
    time_masks: int,
    time_mask_frames: int,
    mel_masks: int,
    mel_mask_bins: int,
    fill: Float[Tensor, "N 1 mels"] | None = None,
) -> Float[Tensor, "N frames mels"]:
    """SpecAugment's time and frequency masks (Park et al., Interspeech 2019), for each window.

    Masks are filled with ``fill``; None: with 0, which is the training partition's mean if frames
    are normalised by it. Widths are uniform in 0 … the given maximum; a time mask starts inside the
    real frames.
    """
    size, bins = frames.shape[1:]
    kept_frames = torch.ones(frames.shape[:2], dtype=torch.bool, device=frames.device)
    for _ in range(time_masks):
        kept_frames &= ~_band(lengths, size, time_mask_frames, generator)
    kept_bins = torch.ones(len(frames), bins, dtype=torch.bool, device=frames.device)
    for _ in range(mel_masks):
        limits = torch.full_like(lengths, bins)
        kept_bins &= ~_band(limits, bins, mel_mask_bins, generator)
    if fill is not None:
        return torch.where(kept_frames[:, :, None] & kept_bins[:, None, :], frames, fill)
    return frames * kept_frames[:, :, None] * kept_bins[:, None, :]


def _band(
    limits: Int[Tensor, " N"], size: int, widest: int, generator: torch.Generator
) -> Bool[Tensor, "N size"]:
    """One random band for each row, below the row's limit."""
    rows = len(limits)
    draw = torch.rand(2, rows, generator=generator).to(limits.device)
    width = torch.minimum((draw[0] * (widest + 1)).long(), limits)
    first = (draw[1] * (limits - width + 1)).long()
    at = torch.arange(size, device=limits.device)[None, :]
    return (at >= first[:, None]) & (at < (first + width)[:, None])
