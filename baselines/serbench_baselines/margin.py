"""The loss ``margin`` of CPAC: the margins of capsule networks on posteriors; no teacher."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, Field, model_validator

from serbench.api import Loss, LossShape, Params

if TYPE_CHECKING:
    from torch import nn


class MarginParams(Params):
    """Settings of ``margin``."""

    upper: float = Field(default=0.9, gt=0.0, le=1.0)
    """The posterior of the true class should reach this value."""
    lower: float = Field(default=0.1, ge=0.0, lt=1.0)
    """The posterior of any other class should stay below this value."""
    others: float = Field(default=0.5, ge=0.0)
    """Weight of the other classes."""
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the target that is spread evenly over the classes."""

    @model_validator(mode="after")
    def _margins_are_apart(self) -> MarginParams:
        if self.lower >= self.upper:
            msg = f"lower must be below upper ({self.upper:g})"
            raise ValueError(msg)
        return self


class Margin(Loss):
    """Margins on the posteriors."""

    name = "margin"
    Params: ClassVar[type[BaseModel]] = MarginParams
    params: MarginParams

    def build(self, shape: LossShape) -> nn.Module:  # noqa: ARG002 - nothing to learn here
        """The loss; it has no parameters of its own."""
        from serbench_baselines.losses.margin import MarginLoss

        return MarginLoss(self.params)
