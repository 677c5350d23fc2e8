"""Soft targets of one or several teachers, and the student's distance from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

FLAT = 1e-6
"""If no value deviates from the mean by more than this, the values have no scale
and no correlation.
"""


def standardise(logits: Float[Tensor, "*rows C"]) -> Float[Tensor, "*rows C"]:
    """z-scores over classes, (z − mean) / deviation (Sun et al., CVPR 2024).

    They replace the logits of each teacher, before teachers are integrated, and of the student. The
    scale of the soft targets ỹ_t = softmax(zscore(z_t) / T) is then independent of the teacher's.
    Rows with equal values become 0.

    Args:
        logits: z_t or z_s.
    """
    centred = logits - logits.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)
    # Both branches of `where` are differentiated, so the root must not receive a zero.
    return centred * torch.where(variance > FLAT**2, variance, 1.0).rsqrt()


def integrate(
    teacher_logits: Float[Tensor, "m N C"], log_weights: Float[Tensor, "m N"], temperature: float
) -> Float[Tensor, "N C"]:
    """The integrated soft target's logarithm, log ỹ_T (Khan et al. 2026, Eq. 4 and 7).

    ``ỹ_T = Σ_t w_t ỹ_t`` with ``ỹ_t = softmax(z_t / T)``. It is computed in logarithms throughout,
    so that values and gradients are finite for a teacher of any certainty.

    Args:
        teacher_logits: z_t.
        log_weights: log w; the weights sum to 1 over teachers.
        temperature: T.
    """
    log_posteriors = (teacher_logits / temperature).log_softmax(dim=-1)
    return torch.logsumexp(log_weights[..., None] + log_posteriors, dim=0)


def correct(log_target: Float[Tensor, "N C"], labels: Int[Tensor, " N"]) -> Float[Tensor, "N C"]:
    """Soft targets corrected by the label: if another class has the largest probability, this
    and the label's probability are swapped (probability shift of Wen, Lai & Qian,
    Neurocomputing 454, 2021).

    With several teachers, the integrated target is corrected.

    Args:
        log_target: log ỹ_T.
        labels: y.
    """
    largest, at = log_target.max(dim=-1, keepdim=True)
    truth = labels[:, None]
    own = log_target.gather(1, truth)
    return log_target.scatter(1, at, own).scatter(1, truth, largest)


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
        return self.temperature**2 * _divergence(log_target, log_student)


class DecoupledDivergence(nn.Module):
    """T² (TCKD_i + b · NCKD_i), the decoupled kl (Zhao et al., CVPR 2022, with α = 1).

    Let p be the probability of the label y in the integrated target or in the student's output.
    TCKD is the divergence of (p, 1 − p), and NCKD that of the other classes' probabilities, scaled
    to sum to 1. ``kl = TCKD + (1 − p_T) NCKD`` (ibid.): in plain kl, the other classes count less
    if a teacher is more certain; here their weight does not depend on that. With two classes, NCKD
    is 0.

    Args:
        temperature: T.
        non_target: b, called β in the paper.
    """

    def __init__(self, temperature: float, non_target: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.non_target = non_target

    def forward(
        self,
        log_target: Float[Tensor, "N C"],
        student_logits: Float[Tensor, "N C"],
        labels: Int[Tensor, " N"],
    ) -> Float[Tensor, " N"]:
        """The divergence of each segment from log ỹ_T."""
        log_student = (student_logits / self.temperature).log_softmax(dim=-1)
        binary_target, others_target = _decouple(log_target, labels)
        binary_student, others_student = _decouple(log_student, labels)
        target_class = _divergence(binary_target, binary_student)
        other_classes = _divergence(others_target, others_student)
        return self.temperature**2 * (target_class + self.non_target * other_classes)


class RelationDistance(nn.Module):
    """T² (1 − ρ_i + mean_c(1 − ρ_c)), matching of relations, DIST (Huang et al., NeurIPS 2022).

    ρ_i is Pearson's correlation of ỹ_T,i and ỹ_s,i over the classes (their inter-class relation),
    ρ_c that of class c's probabilities over the segments that count (their intra-class relation).
    Both have the same weight. If all values of either side are equal, there is no correlation, and
    the distance is 0. T² is used as in kl.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(
        self,
        log_target: Float[Tensor, "N C"],
        student_logits: Float[Tensor, "N C"],
        counts: Bool[Tensor, " N"],
    ) -> Float[Tensor, " N"]:
        """The distance of each segment from log ỹ_T.

        Args:
            log_target: log ỹ_T.
            student_logits: z_s.
            counts: whether ρ_c includes a segment: True if its teacher is reliable.
        """
        target = log_target.exp()
        student = (student_logits / self.temperature).softmax(dim=-1)
        everywhere = torch.ones_like(target)
        by_segment = _uncorrelated(target, student, everywhere, dim=1)  # (N,)
        by_class = _uncorrelated(target, student, everywhere * counts[:, None], dim=0)  # (C,)
        return self.temperature**2 * (by_segment + by_class.mean())


def _divergence(
    log_target: Float[Tensor, "N K"], log_student: Float[Tensor, "N K"]
) -> Float[Tensor, " N"]:
    """KL(target ‖ student) for each row."""
    return F.kl_div(log_student, log_target, reduction="none", log_target=True).sum(dim=-1)


def _decouple(
    log_posterior: Float[Tensor, "N C"], labels: Int[Tensor, " N"]
) -> tuple[Float[Tensor, "N 2"], Float[Tensor, "N C-1"]]:
    """Logarithms of (p_y, 1 − p_y), and of the other classes' probabilities, scaled to sum to 1."""
    classes = torch.arange(log_posterior.shape[-1] - 1, device=labels.device)
    others = log_posterior.gather(1, classes + (classes >= labels[:, None]))  # (N, C - 1)
    rest = others.logsumexp(dim=-1, keepdim=True)
    return torch.cat([log_posterior.gather(1, labels[:, None]), rest], dim=1), others - rest


def _uncorrelated(
    one: Float[Tensor, "N C"], other: Float[Tensor, "N C"], share: Float[Tensor, "N C"], dim: int
) -> Float[Tensor, " _"]:
    """1 − Pearson's correlation along ``dim`` over entries whose share is 1; 0 if values
    are all equal.
    """
    entries = share.sum(dim=dim, keepdim=True).clamp(min=1.0)
    one = share * (one - (share * one).sum(dim=dim, keepdim=True) / entries)
    other = share * (other - (share * other).sum(dim=dim, keepdim=True) / entries)
    squares = one.square().sum(dim=dim), other.square().sum(dim=dim)
    varies = (squares[0] > FLAT**2) & (squares[1] > FLAT**2)
    first, second = (torch.where(varies, square, 1.0).rsqrt() for square in squares)
    return torch.where(varies, 1.0 - (one * other).sum(dim=dim) * first * second, 0.0)
