"""The loss ``frames``, against loops in NumPy, and what ``akd`` takes over of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from serbench.api import Batch, LossShape, PluginError, StudentOutput
from serbench.testing import check_loss
from serbench_akd.akd import Akd, AkdParams
from serbench_akd.frames import Frames, FramesParams
from serbench_akd.losses.frames import FramesLoss, statistics_distance

N, MAPS, WIDTHS = 3, ((2, 3, 6), (4, 2, 7)), (6, 5)
"""Segments; (c, h, w) of each level; width of each teacher."""

KINDS: list[dict[str, Any]] = [
    {},
    {"levels": "all"},
    {"levels": "all", "groups": "all", "lower": 0.3},
    {"levels": "all", "lower": 0.3, "statistics": 0.1},
]


def shape(teachers: int, maps: tuple[tuple[int, int, int], ...] = MAPS) -> LossShape:
    return LossShape(
        num_classes=2,
        embedding_dim=2,
        map_dims=tuple((c, h) for c, h, _ in maps),
        last_map_dim=4,
        frame_dims=WIDTHS[:teachers],
        num_teachers=teachers,
    )


def example(teachers: int) -> tuple[Batch, StudentOutput]:
    g = torch.Generator().manual_seed(0)

    def normal(*size: int) -> torch.Tensor:
        return torch.randn(*size, generator=g, dtype=torch.float64)

    masks = tuple(torch.arange(w)[None] < torch.tensor([w, 4, 1])[:, None] for _, _, w in MAPS)
    maps = tuple(normal(N, *m) for m in MAPS)
    batch = Batch(
        features=torch.zeros(N, 3, 4, 5),
        lengths=torch.full((N,), 5),
        labels=torch.full((N,), -1),
        teacher_logits=torch.zeros(0, N, 2),
        teacher_frames=tuple(normal(N, 9, d) for d in WIDTHS[:teachers]),
        teacher_lengths=tuple(torch.tensor([9, 6, 2]) for _ in range(teachers)),
    )
    return batch, StudentOutput(
        torch.zeros(N, 2), torch.zeros(N, 2), maps, masks, maps[-1], masks[-1]
    )


def built(teachers: int, **params: Any) -> FramesLoss:
    torch.manual_seed(1)
    return Frames(FramesParams(**params)).build(shape(teachers)).double()


def stretched(frames: np.ndarray, heard: int, wanted: int) -> np.ndarray:
    """Linear interpolation between middles of frames, edges held."""
    places = (np.arange(wanted) + 0.5) * heard / wanted - 0.5
    return np.stack(
        [np.interp(places, np.arange(heard), column[:heard]) for column in frames.T], axis=1
    )


def reference(loss: FramesLoss, batch: Batch, output: StudentOutput) -> dict[str, float]:
    """Both terms, pair by pair and segment by segment."""
    last, hint, statistics = len(MAPS) - 1, 0.0, 0.0
    for (t, level), project in zip(loss.hint.pairs, loss.hint.projections.values(), strict=True):
        matrix, bias = (p.detach().numpy() for p in project.parameters())
        weight = 1.0 if level == last else loss.params.lower
        distances: list[float] = []
        squares = []
        for i in range(N):
            real = int(output.masks[level][i].sum())
            student = output.maps[level][i].numpy().mean(axis=1).T[:real]  # (real, c)
            made = student @ matrix.T + bias
            heard = int(batch.teacher_lengths[t][i])
            target = stretched(batch.teacher_frames[t][i].numpy(), heard, real)
            for a, b in zip(made, target, strict=True):
                distances.append(2 - 2 * a @ b / np.linalg.norm(a) / np.linalg.norm(b))
            squares.append(
                (made.mean(0) - target.mean(0)) ** 2 + (made.std(0) - target.std(0)) ** 2
            )
        hint += weight * float(np.mean(distances))
        statistics += weight * float(np.mean(squares))
    return {"hint": hint, "statistics": statistics}


@pytest.mark.parametrize("teachers", [1, 2])
@pytest.mark.parametrize("params", KINDS)
def test_terms_match_the_reference(params: dict[str, Any], teachers: int) -> None:
    loss = built(teachers, **params)
    batch, output = example(teachers)
    got = {name: value.item() for name, value in loss(batch, output).items()}
    due = reference(loss, batch, output)
    share = params.get("statistics", 0.0)
    assert got["hint"] == pytest.approx(due["hint"], abs=1e-9)
    assert got["total"] == pytest.approx(due["hint"] + share * due["statistics"], abs=1e-6)
    assert ("statistics" in got) == (share > 0.0)


def test_two_layers_guide_two_levels() -> None:
    assert built(2, levels="all").hint.pairs == [(0, 0), (1, 1)]
    assert built(2).hint.pairs == [(0, 1), (1, 1)]
    assert built(1, levels="all").hint.pairs == [(0, 0), (0, 1)]


def test_statistics_have_a_gradient_where_nothing_varies() -> None:
    made = torch.zeros(2, 5, 3, dtype=torch.float64, requires_grad=True)
    mask = torch.arange(5)[None] < torch.tensor([5, 1])[:, None]
    statistics_distance(made, torch.randn(2, 5, 3, dtype=torch.float64), mask).backward()
    assert made.grad is not None
    assert bool(torch.isfinite(made.grad).all())
    assert not made.grad[1, 1:].any()  # padding


@pytest.mark.parametrize("params", KINDS)
def test_it_keeps_the_contract_of_losses(params: dict[str, Any]) -> None:
    check_loss(Frames, params)


@pytest.mark.parametrize(("levels", "taken"), [("last", {"0-1"}), ("all", {"0-0", "0-1"})])
def test_akd_takes_the_projections_of_the_same_levels_over(levels: str, taken: set[str]) -> None:
    """By teacher and level: a lower level's never becomes the last one's, though it may fit."""
    akd: nn.Module = Akd(
        AkdParams(k=0.0, alpha=0.0, lambda_angle=0.0, beta="one", hint_target="frames")
    ).build(shape(1))
    mine = {name: p.shape for name, p in akd.named_parameters()}
    before = {name: p.shape for name, p in built(1, levels=levels).named_parameters()}
    shared = {name for name in before if mine.get(name) == before[name]}
    assert shared == set(before)
    assert {name.split(".")[2] for name in shared} == taken


def test_what_is_missing_is_told_before_any_training() -> None:
    with pytest.raises(PluginError, match=r"needs a teacher"):
        Frames(FramesParams()).build(shape(0))
    with pytest.raises(PluginError, match=r"the student gives none"):
        Frames(FramesParams()).build(shape(1, ()))


@pytest.mark.parametrize("teachers", [1, 2])
def test_projections_start_at_the_least_squares_of_what_they_see(teachers: int) -> None:
    seen = example(teachers)
    module = built(teachers, levels="all").double()
    before = module(*seen)["total"].item()
    module.start([seen, seen])
    assert module(*seen)["total"].item() < before
    for student, target, mask, project in module.hint.guided(*seen):
        x = np.concatenate([[*s.T[m].numpy()] for s, m in zip(student, mask, strict=True)])
        u = np.concatenate([t[m].numpy() for t, m in zip(target, mask, strict=True)])
        x = np.column_stack([np.concatenate([x, x]), np.ones(2 * len(x))])
        ridge = 1e-4 * np.mean(np.sum(x**2, axis=0)) * np.eye(x.shape[1])
        wanted = np.linalg.inv(x.T @ x + ridge) @ x.T @ np.concatenate([u, u])
        assert np.allclose(project.weight.detach().numpy(), wanted[:-1].T, atol=1e-8)
        assert np.allclose(project.bias.detach().numpy(), wanted[-1], atol=1e-8)
