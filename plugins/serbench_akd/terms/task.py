"""The task term: the student's distance from the labels, for each segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class CrossEntropy(nn.Module):
    """task_i = −log softmax(z_s,i)[y_i], cross-entropy (Khan et al. 2026, Eq. 1).

    Args:
        label_smoothing: share of the target that is spread evenly over the classes, 0 … 1.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(
        self, logits: Float[Tensor, "N C"], labels: Int[Tensor, " N"]
    ) -> Float[Tensor, " N"]:
        """The cross-entropy of each segment."""
        return F.cross_entropy(
            logits, labels, reduction="none", label_smoothing=self.label_smoothing
        )


class Concordance(nn.Module):
    """1 − CCC between posterior and one-hot label (Khan et al. 2026, Eq. 14), per segment.

    For Lin's concordance correlation coefficient of x and y over the batch,
    ``1 − CCC = mean_i (x_i − y_i)² / (σ_x² + σ_y² + (μ_x − μ_y)²)``, with variances over N.
    Segment i's share is therefore its own squared error over the batch's denominator, and the mean
    of the shares is 1 − CCC, averaged over classes. If no segment or every segment has a class, CCC
    is 0 for any output of the student; such classes are left out of the average.
    """

    def forward(
        self, logits: Float[Tensor, "N C"], labels: Int[Tensor, " N"]
    ) -> Float[Tensor, " N"]:
        """Each segment's share, whose mean is 1 − CCC."""
        posterior = logits.softmax(dim=-1)
        truth = F.one_hot(labels, logits.shape[-1]).to(posterior.dtype)
        variance = truth.var(dim=0, correction=0)
        spread = (
            posterior.var(dim=0, correction=0)
            + variance
            + (posterior.mean(dim=0) - truth.mean(dim=0)).square()
        )  # (C,)
        present = truth.sum(dim=0)
        varies = (present > 0) & (present < len(labels))
        share = (posterior - truth).square() / torch.where(varies, spread, 1.0)
        return (share * varies).sum(dim=-1) / varies.sum().clamp(min=1)
