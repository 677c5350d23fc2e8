"""The weight of each teacher for each segment."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from serbench.api import StudentOutput

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


def channel_maxima(
    last_map: Float[Tensor, "N c h w"], last_mask: Bool[Tensor, "N w"]
) -> Float[Tensor, "N c"]:
    """d, the largest value of each channel over frequency and real frames.

    Khan et al. 2026 write ``Conv`` in Eq. 5 but describe "the most significant value within each
    channel".

    Args:
        last_map: b.
        last_mask: True on real frames, at least one for each segment.
    """
    floor = torch.finfo(last_map.dtype).min
    return last_map.masked_fill(~last_mask[:, None, None, :], floor).amax(dim=(2, 3))


class UniformTeacherWeights(nn.Module):
    """w_t,i = 1/m."""

    def __init__(self, num_teachers: int) -> None:
        super().__init__()
        self.num_teachers = num_teachers

    def forward(self, output: StudentOutput) -> Float[Tensor, "m N"]:
        """The logarithm of w. Only the number N of segments is read from ``output``."""
        return output.logits.new_full(
            (self.num_teachers, len(output.logits)), -math.log(self.num_teachers)
        )


class AdaptiveTeacherWeights(nn.Module):
    """w_·,i = softmax over t of v · (θ_t ⊙ d_i) (Khan et al. 2026, Eq. 5–6; Liu et al. 2020).

    θ starts at 0, so that no teacher is preferred before training; v starts at 1/√c, so that θ has
    a gradient.

    Attributes:
        theta: θ, a latent factor for each teacher, ``(m, c)``.
        v: the scoring vector, ``(c,)``.
        undecayed: both parameters, which have no weight decay; ``penalty`` decays them by λ_2.
    """

    undecayed = ("theta", "v")

    def __init__(self, num_teachers: int, last_map_dim: int) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.zeros(num_teachers, last_map_dim))
        self.v = nn.Parameter(torch.full((last_map_dim,), last_map_dim**-0.5))

    def forward(self, output: StudentOutput) -> Float[Tensor, "m N"]:
        """The logarithm of w, from the student's last map b."""
        maxima = channel_maxima(output.last_map, output.last_mask)
        scores = (self.theta * self.v) @ maxima.T  # (m, N)
        return scores.log_softmax(dim=0)

    def penalty(self) -> Float[Tensor, ""]:
        """‖θ‖² + ‖v‖²."""
        return self.theta.square().sum() + self.v.square().sum()
