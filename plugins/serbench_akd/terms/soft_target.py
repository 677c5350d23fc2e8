"""Soft targets of one or several teachers, and the student's divergence from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float


def integrate(
    teacher_logits: Float[Tensor, "m N C"], log_weights: Float[Tensor, "m N"], temperature: float
) -> Float[Tensor, "N C"]:
    """The integrated soft target's logarithm, log ỹ_T (Khan et al. 2026, Eq. 4 and 7).

    ``ỹ_T = Σ_t w_t ỹ_t`` with ``ỹ_t = softmax(z_t / T)``. It stays in the logarithm throughout, so
    that a teacher of any certainty gives finite values and gradients.

    Args:
        teacher_logits: z_t.
        log_weights: log w; the weights sum to 1 over teachers.
        temperature: T.
    """
    log_posteriors = (teacher_logits / temperature).log_softmax(dim=-1)
    return torch.logsumexp(log_weights[..., None] + log_posteriors, dim=0)


class SoftTargetDivergence(nn.Module):
    """kl_i = T² · KL(ỹ_T,i ‖ ỹ_s,i), teacher first (Khan et al. 2026, Eq. 2 and 8).

    T² keeps the gradient's size independent of the temperature (Hinton et al. 2015).
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(
        self, log_target: Float[Tensor, "N C"], student_logits: Float[Tensor, "N C"]
    ) -> Float[Tensor, " N"]:
        """The divergence of each segment from log ỹ_T."""
        log_student = (student_logits / self.temperature).log_softmax(dim=-1)
        divergence = F.kl_div(log_student, log_target, reduction="none", log_target=True)
        return self.temperature**2 * divergence.sum(dim=-1)
