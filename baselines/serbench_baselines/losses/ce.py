"""The loss ``ce``; see ``serbench_baselines.ce``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from serbench.api import Batch, LossShape, LossTerms, PluginError, StudentOutput

if TYPE_CHECKING:
    from jaxtyping import Float

    from serbench_baselines.ce import CrossEntropyParams


class CrossEntropyLoss(nn.Module):
    """``L = mean_i w[y_i] · (1 − p_i)^γ · −Σ_k t_ik log softmax(z_i)[k]``

    with p_i the posterior of the true class and t_i the label, smoothed if ``label_smoothing`` is
    not 0.

    Args:
        weights: w of each class; None: 1. Their mean over the training partition is 1, so that the
            mean of L over the partition is the mean over classes of each class's own mean.
    """

    weights: Tensor | None

    def __init__(self, params: CrossEntropyParams, weights: Float[Tensor, " C"] | None) -> None:
        super().__init__()
        self.params = params
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, batch: Batch, output: StudentOutput) -> LossTerms:
        """``ce``, and ``total`` with the same value."""
        smoothing = self.params.label_smoothing
        if self.weights is None and self.params.focal == 0.0:
            ce = F.cross_entropy(output.logits, batch.labels, label_smoothing=smoothing)
            return {"ce": ce, "total": ce}
        each = F.cross_entropy(
            output.logits, batch.labels, label_smoothing=smoothing, reduction="none"
        )
        if self.params.focal > 0.0:
            each = each * _unsure(output.logits, batch) ** self.params.focal
        if self.weights is not None:
            each = each * self.weights[batch.labels]
        return {"ce": each.mean(), "total": each.mean()}


def _unsure(logits: Float[Tensor, "N C"], batch: Batch) -> Float[Tensor, " N"]:
    """1 − p of the true class; never exactly 0, because a root has no gradient there."""
    log_posterior = logits.log_softmax(dim=-1).gather(1, batch.labels[:, None])[:, 0]
    return (-torch.expm1(log_posterior)).clamp_min(torch.finfo(logits.dtype).eps)


def balanced_weights(shape: LossShape) -> Float[Tensor, " C"]:
    """N / (C' · n_k) for the C' classes that occur; 0 for a class that does not."""
    counts = torch.tensor(shape.label_counts, dtype=torch.float64)
    if not counts.sum():
        raise PluginError(
            "loss 'ce' with class_weights = \"balanced\" needs labels to count, but this audio has "
            'no labels; set loss.class_weights = "none"'
        )
    shares = counts / counts.sum()
    weights = torch.where(counts > 0, 1.0 / shares.clamp_min(1e-12), 0.0)
    return (weights / (counts > 0).sum()).float()
