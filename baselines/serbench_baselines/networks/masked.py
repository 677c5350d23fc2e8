"""Functions for windows of several lengths in one batch, which keep padding out of results."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


def frame_mask(lengths: Int[Tensor, " N"], frames: int) -> Bool[Tensor, "N frames"]:
    """True on real frames."""
    return torch.arange(frames, device=lengths.device)[None, :] < lengths[:, None]


def kept(
    x: Float[Tensor, "N *c frames"], lengths: Int[Tensor, " N"]
) -> Float[Tensor, "N *c frames"]:
    """``x`` with 0 after the real frames."""
    real = frame_mask(lengths, x.shape[-1])
    return x.masked_fill(~real[:, *[None] * (x.ndim - 2)], 0.0)


def shortened(
    features: Float[Tensor, "N channels values frames"], lengths: Int[Tensor, " N"]
) -> Float[Tensor, "N channels values longest"]:
    """Remove frames that are padding in every window of a batch, to compute less."""
    return features[..., : int(lengths.max())]


def by_length(
    embed: Callable[[Tensor, Tensor], Tensor],
    features: Float[Tensor, "N channels values frames"],
    lengths: Int[Tensor, " N"],
    count: int = 8,
) -> Float[Tensor, "N E"]:
    """``embed(features, lengths)`` for a few windows of similar length at a time, to compute less.

    Use it only if no window affects the result of another, as it would in batch normalisation.
    """
    order = lengths.argsort(stable=True)
    pieces = [
        embed(shortened(features[rows], lengths[rows]), lengths[rows])
        for rows in order.split(count)
    ]
    return torch.cat(pieces)[order.argsort()]


def halved(lengths: Int[Tensor, " N"]) -> Int[Tensor, " N"]:
    """Number of real frames after a step of 2; a last frame without a partner counts as one."""
    return torch.div(lengths + 1, 2, rounding_mode="floor")


def time_reversed(
    x: Float[Tensor, "N frames d"], lengths: Int[Tensor, " N"]
) -> Float[Tensor, "N frames d"]:
    """Each window's real frames from last to first; after them, its first frame is repeated."""
    at = torch.arange(x.shape[1], device=x.device)[None, :]
    places = (lengths[:, None] - 1 - at).clamp_min(0)
    return x.gather(1, places[..., None].expand_as(x))


def mean_over_time(
    x: Float[Tensor, "N *c frames"], lengths: Int[Tensor, " N"]
) -> Float[Tensor, " N *c"]:
    """Mean over real frames."""
    count = lengths.reshape(-1, *[1] * (x.ndim - 2))
    return kept(x, lengths).float().sum(dim=-1) / count


def attended(
    x: Float[Tensor, "N frames d"], scores: Float[Tensor, "N frames"], lengths: Int[Tensor, " N"]
) -> Float[Tensor, "N d"]:
    """Mean over real frames, weighted by the softmax of their scores over time."""
    real = frame_mask(lengths, x.shape[1])
    weights = scores.float().masked_fill(~real, float("-inf")).softmax(dim=1)
    return (weights[..., None] * x.masked_fill(~real[..., None], 0.0)).sum(dim=1)


def normalised(
    norm: Callable[[Tensor], Tensor],
    x: Float[Tensor, "N c *bins frames"],
    real: Bool[Tensor, "N frames"] | None,
) -> Float[Tensor, "N c *bins frames"]:
    """Batch normalisation whose statistics are of real frames only.

    Args:
        norm: a module such as ``nn.BatchNorm1d`` or, with bins, ``nn.BatchNorm2d``.
        x: values; those of padding become zeros if ``real`` is given.
        real: True on real frames; None: all frames are real, or no statistics are computed now.
    """
    if real is None:
        return norm(x)
    frames = x.movedim(-1, 1)  # (N, frames, c, *bins)
    out = torch.zeros_like(frames)
    out[real] = norm(frames[real][..., None])[..., 0].to(out.dtype)
    return out.movedim(1, -1)


class MaskedNorm(nn.BatchNorm1d):
    """Batch normalisation (Ioffe and Szegedy, ICML 2015) with statistics of real frames only."""

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] - it needs the lengths too
        self, x: Float[Tensor, "N c *bins frames"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N c *bins frames"]:
        """Normalise ``x``; values after the real frames are arbitrary: clear them with ``kept``."""
        real = frame_mask(lengths, x.shape[-1]) if self.training else None
        return normalised(self._over_bins, x, real)

    def _over_bins(self, x: Float[Tensor, "N c *bins frames"]) -> Float[Tensor, "N c *bins frames"]:
        return super().forward(x.flatten(2)).reshape(x.shape)
