"""The loss ``kd``; see ``serbench_baselines.kd``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor, nn

from serbench.api import (
    Batch,
    LossTerms,
    StudentOutput,
)

if TYPE_CHECKING:
    from jaxtyping import Float

    from serbench_baselines.kd import DistillationParams


class DistillationLoss(nn.Module):
    """``L = (1 − α) · mean_i ce_i + α · T² · mean_i KL(ỹ_T,i ‖ ỹ_s,i)``

    with ỹ = softmax(z / T); the soft targets of several teachers are averaged. A term of the sum is
    neither computed nor returned if its weight is 0.
    """

    def __init__(self, params: DistillationParams) -> None:
        super().__init__()
        self.params = params

    def forward(self, batch: Batch, output: StudentOutput) -> LossTerms:
        """``ce``, ``kl`` (unweighted, T² included) and ``total``."""
        alpha, temperature = self.params.alpha, self.params.temperature
        logits = output.logits
        terms: LossTerms = {}
        total = logits.new_zeros(())
        if alpha < 1.0:
            terms["ce"] = F.cross_entropy(logits, batch.labels)
            total = total + (1.0 - alpha) * terms["ce"]
        if alpha > 0.0:
            terms["kl"] = _divergence(batch.teacher_logits, logits, temperature)
            total = total + alpha * terms["kl"]
        return terms | {"total": total}


def _divergence(
    teacher_logits: Float[Tensor, "m N C"], logits: Float[Tensor, "N C"], temperature: float
) -> Float[Tensor, ""]:
    """T² · KL(teacher ‖ student), mean over the batch."""
    target = (teacher_logits / temperature).softmax(dim=-1).mean(dim=0)
    log_student = (logits / temperature).log_softmax(dim=-1)
    return temperature**2 * F.kl_div(log_student, target, reduction="batchmean")
