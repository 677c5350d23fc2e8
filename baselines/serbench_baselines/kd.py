"""The loss ``kd``: knowledge distillation as in Hinton, Vinyals & Dean (2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, Field, PositiveFloat

from serbench.api import (
    Loss,
    LossShape,
    Need,
    Params,
    PluginError,
)

if TYPE_CHECKING:
    from torch import nn


class DistillationParams(Params):
    """Settings of ``kd``."""

    alpha: float = Field(default=0.5, ge=0.0, le=1.0)
    """Weight of the teacher; the weight of the labels is 1 minus this."""
    temperature: PositiveFloat = 2.0
    """T of the soft targets."""


class Distillation(Loss):
    """Vanilla knowledge distillation."""

    name = "kd"
    Params: ClassVar[type[BaseModel]] = DistillationParams
    params: DistillationParams

    @property
    def needs(self) -> frozenset[Need]:
        """Soft targets, unless ``alpha`` is 0."""
        return frozenset({"soft_targets"}) if self.params.alpha > 0.0 else frozenset()

    def build(self, shape: LossShape) -> nn.Module:
        """The loss; it has no parameters of its own.

        Raises:
            PluginError: there is no teacher.
        """
        from serbench_baselines.losses.kd import DistillationLoss

        if self.needs and shape.num_teachers == 0:
            msg = (
                "loss 'kd' needs a teacher, but the run has none: give one with --teacher, or "
                "use loss 'ce'"
            )
            raise PluginError(msg)
        return DistillationLoss(self.params)
