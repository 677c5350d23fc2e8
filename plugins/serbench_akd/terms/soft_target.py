"""Soft targets of one or several teachers, and how far the student is from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

FLAT = 1e-6
"""Values that deviate no further from their mean than this have neither scale nor correlation."""


def standardise(logits: Float[Tensor, "*rows C"]) -> Float[Tensor, "*rows C"]:
    """z-scores over classes, (z − mean) / deviation (Sun et al., CVPR 2024).

    In place of logits, of each teacher before teachers are integrated and of the student, they
    make soft targets whose scale is no longer the teacher's: ỹ_t = softmax(zscore(z_t) / T).
    Flat rows are 0.

    Args:
        logits: z_t or z_s.
    """
    centred = logits - logits.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)
    # Both branches of `where` are differentiated, so the root must not see a zero.
    return centred * torch.where(variance > FLAT**2, variance, 1.0).rsqrt()


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


def correct(log_target: Float[Tensor, "N C"], labels: Int[Tensor, " N"]) -> Float[Tensor, "N C"]:
    """Soft targets corrected by the label: where another class has the largest probability, it
    and the label's are swapped (probability shift of Wen, Lai & Qian, Neurocomputing 454, 2021).

    Of several teachers it is the integrated target that is corrected.

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

    With p the integrated target's or the student's probability of the label y, TCKD is the
    divergence of (p, 1 − p), and NCKD that of the other classes' probabilities, scaled to sum to
    1. ``kl = TCKD + (1 − p_T) NCKD`` (ibid.): the surer a teacher is, the less plain kl tells of
    the other classes; here that does not depend on it. Of two classes, NCKD is 0.

    Args:
        temperature: T.
        non_target: b, their β.
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
    The two have one weight. Where either side is flat there is no correlation, and the distance
    is 0. T² is that of kl.
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
            counts: segments that ρ_c is taken over: those whose teacher is relied on.
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
    """KL(target ‖ student) of each row."""
    return F.kl_div(log_student, log_target, reduction="none", log_target=True).sum(dim=-1)


def _decouple(
    log_posterior: Float[Tensor, "N C"], labels: Int[Tensor, " N"]
) -> tuple[Float[Tensor, "N 2"], Float[Tensor, "N C-1"]]:
    """Logarithms of (p_y, 1 − p_y), and of the other classes' probabilities among themselves."""
    classes = torch.arange(log_posterior.shape[-1] - 1, device=labels.device)
    others = log_posterior.gather(1, classes + (classes >= labels[:, None]))  # (N, C - 1)
    rest = others.logsumexp(dim=-1, keepdim=True)
    return torch.cat([log_posterior.gather(1, labels[:, None]), rest], dim=1), others - rest


def _uncorrelated(
    one: Float[Tensor, "N C"], other: Float[Tensor, "N C"], share: Float[Tensor, "N C"], dim: int
) -> Float[Tensor, " _"]:
    """1 − Pearson's correlation along ``dim`` over entries whose share is 1; 0 where flat."""
    entries = share.sum(dim=dim, keepdim=True).clamp(min=1.0)
    one = share * (one - (share * one).sum(dim=dim, keepdim=True) / entries)
    other = share * (other - (share * other).sum(dim=dim, keepdim=True) / entries)
    squares = one.square().sum(dim=dim), other.square().sum(dim=dim)
    varies = (squares[0] > FLAT**2) & (squares[1] > FLAT**2)
    first, second = (torch.where(varies, square, 1.0).rsqrt() for square in squares)
    return torch.where(varies, 1.0 - (one * other).sum(dim=dim) * first * second, 0.0)
