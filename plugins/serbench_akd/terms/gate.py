"""The gate: how reliable a teacher is on a segment, and the resulting weight of the task term."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

Beta = Literal["floor", "paper", "one"]


class GateReading(NamedTuple):
    """Results of the gate for N segments.

    Attributes:
        error: γ, 0 … 1.
        reliable: whether the teacher is reliable.
    """

    error: Float[Tensor, " N"]
    reliable: Bool[Tensor, " N"]


class Gate(nn.Module):
    """γ_i = 1 − ρ_i, ρ_i the integrated teacher posterior of the true class, at T = 1; a segment's
    teacher is reliable where γ_i ≤ θ_gate (Khan et al. 2026, Eq. 12–13).

    The gate only measures: no gradient passes through it. Otherwise the teacher weights could lower
    the loss by making β smaller, instead of by better teaching.

    Args:
        threshold: θ_gate, 0 … 1.
    """

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, posterior: Float[Tensor, "N C"], labels: Int[Tensor, " N"]) -> GateReading:
        """γ and reliability from the teachers' integrated posterior p_T."""
        true_class = posterior.detach().gather(1, labels[:, None]).squeeze(1)
        error = (1.0 - true_class).clamp(0.0, 1.0)
        return GateReading(error=error, reliable=error <= self.threshold)


class TaskWeight(nn.Module):
    """β_i, the weight of the task term (Khan et al. 2026, Eq. 13).

    ``paper``: γ_i if the teacher is reliable, else 1. As the paper itself notes, this
    makes the task term small exactly when the teacher is good. ``floor``: never below
    ``beta_min``. ``one``: 1.
    """

    def __init__(self, beta: Beta, beta_min: float) -> None:
        super().__init__()
        self.beta = beta
        self.beta_min = beta_min

    def forward(self, reading: GateReading) -> Float[Tensor, " N"]:
        """β of each segment."""
        if self.beta == "one":
            return torch.ones_like(reading.error)
        weight = torch.where(reading.reliable, reading.error, 1.0)
        return weight.clamp(min=self.beta_min) if self.beta == "floor" else weight
