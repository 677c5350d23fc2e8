"""The loss ``margin``; see ``serbench_baselines.margin``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import nn

from serbench.api import Batch, LossTerms, StudentOutput

if TYPE_CHECKING:
    from serbench_baselines.margin import MarginParams


class MarginLoss(nn.Module):
    """``L = mean_i Σ_k t_k max(0, 0.9 − p_k)² + 0.5 (1 − t_k) max(0, p_k − 0.1)²``.

    p: softmax of the logits; t: labels, smoothed if ``label_smoothing`` is not 0. Sabour et al.,
    "Dynamic Routing Between Capsules", NeurIPS 2017, equation 4, with posteriors instead of lengths
    of vectors, as in Wen et al. (IJCAI 2022).
    """

    def __init__(self, params: MarginParams) -> None:
        super().__init__()
        self.params = params

    def forward(self, batch: Batch, output: StudentOutput) -> LossTerms:
        """``margin``, and ``total`` with the same value."""
        given, posteriors = self.params, output.logits.softmax(dim=1)
        classes = posteriors.shape[1]
        target = F.one_hot(batch.labels, classes).to(posteriors.dtype)
        target = target * (1.0 - given.label_smoothing) + given.label_smoothing / classes
        missed = target * (given.upper - posteriors).relu().square()
        wrong = (1.0 - target) * (posteriors - given.lower).relu().square()
        margin = (missed + given.others * wrong).sum(dim=1).mean()
        return {"margin": margin, "total": margin}
