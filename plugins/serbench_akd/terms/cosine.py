"""The cosine term: it compares the student's embedding with those of the teachers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float


class EmbeddingCosine(nn.Module):
    """cos_i = Σ_t w_t,i (1 − cos(r_t(e_i), u_t,i)) (Khan et al. 2026, L_cos of Eq. 14).

    e is the student's embedding, u_t a teacher's pooled embedding, r_t a learnt affine projection.
    Several teachers are integrated with the weights of Eq. 7. The caller applies the gate.

    Args:
        embedding_dim: E of the student.
        pooled_dims: P_t of each teacher.
    """

    def __init__(self, embedding_dim: int, pooled_dims: Sequence[int]) -> None:
        super().__init__()
        self.projections = nn.ModuleList(nn.Linear(embedding_dim, width) for width in pooled_dims)

    def forward(
        self,
        embedding: Float[Tensor, "N E"],
        teacher_pooled: Sequence[Float[Tensor, "N _"]],
        log_weights: Float[Tensor, "m N"],
    ) -> Float[Tensor, " N"]:
        """cos_i of each segment. Each teacher's embedding has its own width P_t."""
        distances = [
            1.0 - F.cosine_similarity(project(embedding), pooled, dim=-1)
            for project, pooled in zip(self.projections, teacher_pooled, strict=True)
        ]
        return (log_weights.exp() * torch.stack(distances)).sum(dim=0)
