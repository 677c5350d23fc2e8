"""The angle term: it compares the shape of the batch in the student's and the teacher's outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

Comparison = Literal["cosine", "arccos"]

COINCIDENT = 1e-6
"""Largest distance of two rows that count as equal, so that no direction from one to
the other exists.
"""

ARCCOS_LIMIT = 1.0 - 1e-6
"""Limit of cosines before arccos, because the slope of arccos is infinite at ±1."""


class Angle(nn.Module):
    """Huber distance (δ = 1) between the angles of ỹ_T and of ỹ_s (Khan et al. 2026, Eq. 9–10).

    ``ψ(i, j, k) = ⟨(x_i − x_j)/‖x_i − x_j‖, (x_i − x_k)/‖x_i − x_k‖⟩`` for every ordered triple of
    different rows, as a cosine (Park et al. 2019) or as its arccos (as the paper prints Eq. 9; its
    Eq. 10 prints a product where its text describes a Huber loss). The mean is over the triples
    whose angle at i exists on both sides; it does not exist if rows are equal. The term is 0 if no
    such triple exists.
    """

    def __init__(self, comparison: Comparison = "cosine") -> None:
        super().__init__()
        self.comparison = comparison

    def forward(
        self, teacher: Float[Tensor, "N D"], student: Float[Tensor, "N E"]
    ) -> Float[Tensor, ""]:
        """The distance between two matrices with a row for each segment: the teacher's and the
        student's. Their widths may differ.
        """
        teacher_unit, teacher_valid = _directions(teacher)
        student_unit, student_valid = _directions(student)
        valid = (teacher_valid & student_valid)[..., None]
        # A direction set to 0 gives ψ = 0 on both sides, and j = k gives the same ψ on both. Such
        # triples add nothing to the sum, which saves an (N, N, N) mask.
        teacher_psi = self._psi(teacher_unit * valid)
        student_psi = self._psi(student_unit * valid)
        neighbours = valid.sum(dim=(1, 2))  # (N,)
        triples = (neighbours * (neighbours - 1)).sum()
        distance = F.huber_loss(student_psi, teacher_psi, reduction="sum")
        return distance / triples.clamp(min=1)

    def _psi(self, unit: Float[Tensor, "N N D"]) -> Float[Tensor, "N N N"]:
        cosine = unit @ unit.mT  # [i, j, k]
        if self.comparison == "cosine":
            return cosine
        return cosine.clamp(-ARCCOS_LIMIT, ARCCOS_LIMIT).arccos()


def _directions(
    rows: Float[Tensor, "N D"],
) -> tuple[Float[Tensor, "N N D"], Bool[Tensor, "N N"]]:
    """Unit vectors from row j to row i, and which of them exist."""
    difference = rows[:, None, :] - rows[None, :, :]
    squared = difference.square().sum(dim=-1)
    valid = squared > COINCIDENT**2
    # Both branches of `where` are differentiated, so the root must not receive a zero.
    inverse_length = torch.where(valid, squared, 1.0).rsqrt()
    return difference * inverse_length[..., None], valid
