"""The loss ``margin``: CPAC's, the margins of capsule networks on posteriors; no teacher."""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from pydantic import BaseModel, Field, model_validator
from torch import nn

from serbench.api import Batch, Loss, LossShape, LossTerms, Params, StudentOutput


class MarginParams(Params):
    """Settings of ``margin``."""

    upper: float = Field(default=0.9, gt=0.0, le=1.0)
    """The posterior of the true class should reach it."""
    lower: float = Field(default=0.1, ge=0.0, lt=1.0)
    """That of another class should not exceed it."""
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


class MarginLoss(nn.Module):
    """``L = mean_i Σ_k t_k max(0, 0.9 − p_k)² + 0.5 (1 − t_k) max(0, p_k − 0.1)²``.

    p: softmax of the logits; t: labels, smoothed where asked for. Sabour et al., "Dynamic Routing
    Between Capsules", NeurIPS 2017, equation 4, with posteriors in place of lengths of vectors, as
    Wen et al. (IJCAI 2022) take them.
    """

    def __init__(self, params: MarginParams) -> None:
        super().__init__()
        self.params = params

    def forward(self, batch: Batch, output: StudentOutput) -> LossTerms:
        """``margin`` and the same as ``total``."""
        given, posteriors = self.params, output.logits.softmax(dim=1)
        classes = posteriors.shape[1]
        target = F.one_hot(batch.labels, classes).to(posteriors.dtype)
        target = target * (1.0 - given.label_smoothing) + given.label_smoothing / classes
        missed = target * (given.upper - posteriors).relu().square()
        wrong = (1.0 - target) * (posteriors - given.lower).relu().square()
        margin = (missed + given.others * wrong).sum(dim=1).mean()
        return {"margin": margin, "total": margin}


class Margin(Loss):
    """Margins on the posteriors."""

    name = "margin"
    Params: ClassVar[type[BaseModel]] = MarginParams
    params: MarginParams

    def build(self, shape: LossShape) -> MarginLoss:  # noqa: ARG002 - nothing to learn here
        """The loss; it has no parameters of its own."""
        return MarginLoss(self.params)
