"""The loss plugin ``frames``: a teacher's frames alone, for pretraining on unlabelled audio."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from pydantic import BaseModel, NonNegativeFloat, PositiveFloat
from torch import Tensor, nn

from serbench.api import Batch, Loss, LossShape, LossTerms, Need, Params, PluginError, StudentOutput
from serbench_akd.terms import FrameHint

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


class FramesParams(Params):
    """Which of the student's levels are guided, and by what besides the frames."""

    levels: Literal["all", "last"] = "last"
    """``all``: every level of the student has a projection and a target of its own."""
    groups: Literal["groups", "all"] = "groups"
    """Which teacher guides which level: with ``groups`` they are dealt to the levels in order, so
    that two layers of an encoder guide two levels; with ``all``, each guides every level."""
    lower: PositiveFloat = 1.0
    """Weight of levels below the last."""
    statistics: NonNegativeFloat = 0.0
    """Weight of the mean and deviation over the window's frames: of each dimension, squared
    differences in deviations of the teacher's frames."""


class FramesLoss(nn.Module):
    """``L = Σ_(t,l) a_l · (d_t,l + statistics · s_t,l)``, a_l = 1 of the last level, else ``lower``

    with d the distance of ``FrameHint`` (Khan et al. 2026, Eq. 11) and s the mean squared
    difference of means and of deviations over time. Neither reads a label or a soft target. Terms:
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
        # By this name ``akd`` takes the projections over.
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
    """Mean of (μ − μ')² + (σ − σ')² over windows and dimensions, over real frames each.

    Args:
        made: the student's frames, projected.
        target: the teacher's.
        mask: real frames.
    """
    differences = [
        (mine - theirs).square().mean()
        for mine, theirs in zip(_statistics(made, mask), _statistics(target, mask), strict=True)
    ]
    return torch.stack(differences).sum()


def _statistics(
    frames: Float[Tensor, "N w D"], mask: Bool[Tensor, "N w"]
) -> tuple[Float[Tensor, "N D"], Float[Tensor, "N D"]]:
    """Mean and deviation over real frames."""
    real = mask[:, :, None]
    count = real.sum(dim=1).clamp(min=1)
    mean = (frames * real).sum(dim=1) / count
    variance = ((frames - mean[:, None]).square() * real).sum(dim=1) / count
    return mean, variance.clamp(min=1e-8).sqrt()


class Frames(Loss):
    """Hints of a teacher's frames alone (Khan et al. 2026, Eq. 11; Romero et al., ICLR 2015)."""

    name = "frames"
    Params: ClassVar[type[BaseModel]] = FramesParams
    params: FramesParams

    @property
    def needs(self) -> frozenset[Need]:
        """``frames``."""
        return frozenset({"frames"})

    def build(self, shape: LossShape) -> FramesLoss:
        """The loss with its own learnt projections.

        Raises:
            PluginError: no teacher, or a student without maps.
        """
        if not shape.frame_dims:
            raise PluginError("loss 'frames' needs a teacher and the run has none: name one")
        if not shape.map_dims:
            raise PluginError(
                "loss 'frames' guides intermediate maps and the student gives none: take another "
                "student, or set pretrain.objective to none"
            )
        return FramesLoss(self.params, shape)
