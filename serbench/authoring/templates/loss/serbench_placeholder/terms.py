"""The terms of the loss ``placeholder``."""

from __future__ import annotations

from serbench.api import Batch, LossTerms, StudentOutput
from torch import nn
from torch.nn import functional as F


class Terms(nn.Module):
    """Cross-entropy and entropy of the posterior, each the mean over a batch."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, batch: Batch, output: StudentOutput) -> LossTerms:
        """Scalars by name, from ``output.logits (N, C)`` and ``batch.labels (N,)``.

        ``"total"`` is minimised; the others are recorded with each epoch.
        """
        log_posterior = output.logits.log_softmax(dim=1)  # (N, C)
        # TODO: put your terms in place of these. What you may read is in serbench.api.Batch.
        ce = F.nll_loss(log_posterior, batch.labels)
        entropy = -(log_posterior.exp() * log_posterior).sum(dim=1).mean()
        return {"ce": ce, "entropy": entropy, "total": ce - self.weight * entropy}
