"""The hint term: it compares the student's maps with the teachers' last feature map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from serbench.api import Batch, StudentOutput

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

HintGroups = Literal["groups", "all"]

RIDGE = 1e-4
"""Penalty of ``FrameHint.start``, as a share of the mean square of the student's channels."""

SHORTEST = 1e-8
"""Least length of a vector in a cosine: shorter vectors count as this long, as in torch."""


def pair_levels(num_teachers: int, num_levels: int, groups: HintGroups) -> list[tuple[int, int]]:
    """The pairs (teacher, level): which teacher guides which level of the student.

    ``groups`` (Khan et al. 2026, Eq. 11; Liu et al. 2020): the levels are assigned to the teachers
    in order, in contiguous groups whose sizes differ by at most one. If there are more teachers
    than levels, the teachers are assigned to the levels likewise. ``all``: every teacher guides
    every level.
    """
    if groups == "all":
        return [(t, level) for t in range(num_teachers) for level in range(num_levels)]
    if num_teachers <= num_levels:
        return [(level * num_teachers // num_levels, level) for level in range(num_levels)]
    return [(t, t * num_levels // num_teachers) for t in range(num_teachers)]


def interpolate_frames(
    frames: Float[Tensor, "N F D"],
    source_lengths: Int[Tensor, " N"],
    target_lengths: Int[Tensor, " N"],
    target_frames: int,
) -> Float[Tensor, "N w D"]:
    """Stretch each segment's real frames linearly to its number of target frames.

    Both sequences cover the same time. Each frame is placed at the middle of its part of that time.
    Before the first and after the last middle, the edge frame is repeated.

    Args:
        frames: frames of the segments.
        source_lengths: real frames of ``frames``, 1 … F.
        target_lengths: real frames wanted, 1 … w.
        target_frames: w.

    Returns:
        ``(N, w, D)`` frames. Beyond ``target_lengths``, the last real frame is repeated.
    """
    segments, length, width = frames.shape
    index = torch.arange(target_frames, device=frames.device, dtype=frames.dtype)
    ratio = source_lengths.to(frames.dtype) / target_lengths.to(frames.dtype)
    last = (source_lengths - 1)[:, None]  # (N, 1)
    position = ((index + 0.5) * ratio[:, None] - 0.5).clamp(min=0.0)  # (N, w)
    position = torch.minimum(position, last.to(frames.dtype))
    left = position.floor().long()
    right = torch.minimum(left + 1, last)
    share = position - left
    start = length * torch.arange(segments, device=frames.device)[:, None]
    # Each frame is a bag of two weighted rows: one pass, without a copy of either neighbour.
    stretched = F.embedding_bag(
        torch.stack([start + left, start + right], dim=-1).view(-1, 2),
        frames.reshape(-1, width),
        per_sample_weights=torch.stack([1.0 - share, share], dim=-1).view(-1, 2),
        mode="sum",
    )
    return stretched.view(segments, target_frames, width)


def projected_cosine(
    project: nn.Linear, source: Float[Tensor, "N c w"], target: Float[Tensor, "N w D"]
) -> Float[Tensor, "N w"]:
    """cos(project(source), target), computed without project(source) itself.

    With ``p = W s + b``, ``⟨p, u⟩ = ⟨s, Wᵀu⟩ + ⟨b, u⟩`` and ``‖p‖²`` is a quadratic form in s, so
    that nothing as wide as the target (D) is kept for the backward pass. With few channels and wide
    teachers, this is several times faster than the definition, frame by frame.

    Args:
        project: the projection from c to D dimensions.
        source: s.
        target: u.
    """
    source = F.pad(source, (0, 0, 0, 1), value=1.0)  # (N, c + 1, w): the bias is one more channel
    matrix = torch.cat([project.weight, project.bias[:, None]], dim=1)  # (D, c + 1)
    # Contiguous like the source; otherwise the gradient of the student's map is transposed,
    # which costs more than all the rest.
    returned = (target @ matrix).mT.contiguous()  # (N, c + 1, w)
    dot = (returned * source).sum(dim=1)
    squared = (((matrix.T @ matrix) @ source) * source).sum(dim=1)
    length = squared.clamp(min=SHORTEST**2).sqrt()
    return dot / (length * torch.linalg.vector_norm(target, dim=-1).clamp(min=SHORTEST))


class _Hint(nn.Module):
    """The learnt projections r_t,l, one for each pair of teacher and level.

    Args:
        map_channels: c_l of each guided level.
        teacher_dims: P_t or D_t of each teacher.
        groups: see ``pair_levels``.
        first_level: the first of the student's levels that is guided.
    """

    def __init__(
        self,
        map_channels: Sequence[int],
        teacher_dims: Sequence[int],
        groups: HintGroups,
        first_level: int = 0,
    ) -> None:
        super().__init__()
        pairs = pair_levels(len(teacher_dims), len(map_channels), groups)
        self.pairs = [(t, first_level + level) for t, level in pairs]
        self.projections = nn.ModuleDict(
            {
                f"{t}-{first_level + level}": nn.Linear(map_channels[level], teacher_dims[t])
                for t, level in pairs
            }
        )

    def _projected_pairs(self) -> Iterator[tuple[int, int, nn.Linear]]:
        """Teacher, level and projection of each pair."""
        for (t, level), project in zip(self.pairs, self.projections.values(), strict=True):
            assert isinstance(project, nn.Linear)
            yield t, level, project


class PooledHint(_Hint):
    """Σ_(t,l) mean_i ‖r_t,l(v_l,i) − u_t,i‖² with pooled maps (Khan et al. 2026, Eq. 11).

    v_l is averaged over frequency and real frames, r_t,l is a learnt affine projection for each
    pair of teacher and level (Romero et al. 2015). Both sides are scaled to a mean square of 1 over
    their dimensions before the mean over dimensions is taken. For any width of the teacher, the
    result is the squared distance of unit vectors, 2 − 2 cos.
    """

    def forward(self, batch: Batch, output: StudentOutput) -> Float[Tensor, ""]:
        """A scalar, 0 … 4 for each pair. Reads ``batch.teacher_pooled``."""
        distances = []
        for t, level, project in self._projected_pairs():
            frames = output.maps[level].mean(dim=2)  # (N, c, w)
            pooled = _masked_mean(frames, output.masks[level][:, None, :])  # (N, c)
            cosine = F.cosine_similarity(project(pooled), batch.teacher_pooled[t], dim=-1)  # (N,)
            distances.append(2.0 - 2.0 * cosine.mean())
        return torch.stack(distances).sum()


class FrameHint(_Hint):
    """Σ_(t,l) mean over real frames of ‖r_t,l(v_l) − u_t‖² (Khan et al. 2026, Eq. 11).

    This is ``PooledHint`` frame by frame: v_l is averaged over frequency only, and the teacher's
    frames are stretched linearly to the student's. The mean is over all real frames of the batch.
    """

    def forward(self, batch: Batch, output: StudentOutput) -> Float[Tensor, ""]:
        """A scalar, 0 … 4 for each pair. Reads ``batch.teacher_frames`` and their lengths."""
        return torch.stack(self.distances(batch, output)).sum()

    def distances(self, batch: Batch, output: StudentOutput) -> list[Float[Tensor, ""]]:
        """The scalar distance of each pair."""
        distances = []
        for student, target, mask, project in self.guided(batch, output):
            cosine = projected_cosine(project, student, target)
            distances.append(2.0 - 2.0 * _masked_mean(cosine.flatten(), mask.flatten()))
        return distances

    @torch.no_grad()
    def start(self, seen: Iterable[tuple[Batch, StudentOutput]]) -> None:
        """Set the projections by ridge regression of the teachers' frames on the student's.

        With random projections, a student that is already trained would first lose what it has
        learnt (Kumar et al., ICLR 2022).

        Args:
            seen: batches and the student's output for them, in evaluation mode.
        """
        sums: list[tuple[Tensor, Tensor]] = []
        for batch, output in seen:
            for place, (student, target, mask, project) in enumerate(self.guided(batch, output)):
                x = F.pad(student.mT[mask].double(), (0, 1), value=1.0)  # (n, c + 1)
                if place == len(sums):
                    wide = project.weight.new_zeros(x.shape[1], x.shape[1], dtype=torch.float64)
                    sums.append((wide, wide.new_zeros(x.shape[1], target.shape[2])))
                sums[place][0].addmm_(x.T, x)
                sums[place][1].addmm_(x.T, target[mask].double())
        for (gram, moment), project in zip(sums, self.projections.values(), strict=True):
            assert isinstance(project, nn.Linear)
            gram.diagonal().add_(RIDGE * gram.diagonal().mean())
            solved = torch.linalg.solve(gram, moment).T  # (D, c + 1)
            project.weight.copy_(solved[:, :-1])
            project.bias.copy_(solved[:, -1])

    def guided(
        self, batch: Batch, output: StudentOutput
    ) -> Iterator[
        tuple[Float[Tensor, "N c w"], Float[Tensor, "N w D"], Bool[Tensor, "N w"], nn.Linear]
    ]:
        """For each pair: the student's frames, the teacher's frames stretched to them, a mask of
        the real frames, and the projection.
        """
        stretched: dict[tuple[int, int], Tensor] = {}  # levels that share a mask share a target
        for t, level, project in self._projected_pairs():
            mask = output.masks[level]
            key = (t, id(mask))
            if key not in stretched:
                stretched[key] = interpolate_frames(
                    batch.teacher_frames[t], batch.teacher_lengths[t], mask.sum(-1), mask.shape[-1]
                )
            yield output.maps[level].mean(dim=2), stretched[key], mask, project


def _masked_mean(
    values: Float[Tensor, "*rows w"], mask: Bool[Tensor, "*#rows w"]
) -> Float[Tensor, "*rows"]:
    """Mean over the last axis where ``mask`` (broadcast) is True."""
    return (values * mask).sum(dim=-1) / mask.sum(dim=-1).clamp(min=1)
