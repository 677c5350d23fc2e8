"""The loss ``ce``: the labels alone, no teacher."""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from pydantic import BaseModel, Field
from torch import nn

from serbench.api import Batch, Loss, LossShape, LossTerms, Params, StudentOutput


class CrossEntropyParams(Params):
    """Settings of ``ce``."""

    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the target that is spread evenly over the classes (Szegedy et al., CVPR 2016)."""


class CrossEntropyLoss(nn.Module):
    """``L = mean_i −log softmax(z_i)[y_i]``, with smoothed labels where asked for."""

    def __init__(self, params: CrossEntropyParams) -> None:
        super().__init__()
        self.params = params

    def forward(self, batch: Batch, output: StudentOutput) -> LossTerms:
        """``ce`` and the same as ``total``."""
        smoothing = self.params.label_smoothing
        ce = F.cross_entropy(output.logits, batch.labels, label_smoothing=smoothing)
        return {"ce": ce, "total": ce}


class CrossEntropy(Loss):
    """Cross-entropy with the labels."""

    name = "ce"
    Params: ClassVar[type[BaseModel]] = CrossEntropyParams
    params: CrossEntropyParams

    def build(self, shape: LossShape) -> CrossEntropyLoss:  # noqa: ARG002 - nothing to learn here
        """The loss; it has no parameters of its own."""
        return CrossEntropyLoss(self.params)
