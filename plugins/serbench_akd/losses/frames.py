"""The loss ``frames``; see ``serbench_akd.frames``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from serbench.api import Batch, LossShape, LossTerms, StudentOutput
from serbench_akd.terms import FrameHint

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from serbench_akd.frames import FramesParams


class FramesLoss(nn.Module):
    """``L = Σ_(t,l) a_l · (d_t,l + statistics · s_t,l)``, a_l = 1 of the last level, else ``lower``

    with d the distance of ``FrameHint`` (Khan et al. 2026, Eq. 11) and s the mean squared
    difference of means and of deviations over time. Neither uses a label or a soft target. Terms:
    ``hint`` (Σ a d), ``statistics`` (Σ a s) and ``total``.

    Args:
        params: validated settings.
        shape: sizes of the student's and teachers' outputs.
    """

    def __init__(self, params: FramesParams, shape: LossShape) -> None:
        super().__init__()
        self.params = params
        last = len(shape.map_dims) - 1
        first = last if params.levels == "last" else 0
        channels = [channels for channels, _ in shape.map_dims[first:]]
        # ``akd`` finds the projections by this name and continues from them.
        self.hint = FrameHint(channels, shape.frame_dims, params.groups, first)
        self.weights = [1.0 if level == last else params.lower for _, level in self.hint.pairs]

    def forward(self, batch: Batch, output: StudentOutput) -> LossTerms:
        """Every term of the batch as a scalar, by name."""
        terms = {"hint": self._weighted(self.hint.distances(batch, output))}
        total = terms["hint"]
        if self.params.statistics:
            differences = [
                statistics_distance(project(student.mT), target, mask)
                for student, target, mask, project in self.hint.guided(batch, output)
            ]
            terms["statistics"] = self._weighted(differences)
            total = total + self.params.statistics * terms["statistics"]
        return terms | {"total": total}

    def start(self, seen: Iterable[tuple[Batch, StudentOutput]]) -> None:
        """See ``FrameHint.start``."""
        self.hint.start(seen)

    def _weighted(self, each: list[Tensor]) -> Float[Tensor, ""]:
        return torch.stack([w * d for w, d in zip(self.weights, each, strict=True)]).sum()


def statistics_distance(
    made: Float[Tensor, "N w D"], target: Float[Tensor, "N w D"], mask: Bool[Tensor, "N w"]
) -> Float[Tensor, ""]:
    """Mean of (μ − μ')² + (σ − σ')² over windows and dimensions; μ and σ are over real frames.

    Args:
        made: the student's frames, projected.
        target: the teacher's frames.
        mask: True on real frames.
    """
    differences = [
        (mine - theirs).square().mean()
        for mine, theirs in zip(_statistics(made, mask), _statistics(target, mask), strict=True)
    ]
    return torch.stack(differences).sum()


def _statistics(
    frames: Float[Tensor, "N w D"], mask: Bool[Tensor, "N w"]
) -> tuple[Float[Tensor, "N D"], Float[Tensor, "N D"]]:
    """Mean and deviation over the real frames."""
    real = mask[:, :, None]
    count = real.sum(dim=1).clamp(min=1)
    mean = (frames * real).sum(dim=1) / count
    variance = ((frames - mean[:, None]).square() * real).sum(dim=1) / count
    return mean, variance.clamp(min=1e-8).sqrt()
