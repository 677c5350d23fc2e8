"""The hint terms, against loops in NumPy and torch's own interpolation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from serbench.api import Batch, StudentOutput
from serbench_akd.terms import FrameHint, PooledHint, interpolate_frames, pair_levels
from serbench_akd.terms.hint import projected_cosine

N, MAPS, WIDTHS = 3, ((2, 3, 5), (4, 2, 7)), (6, 5)
"""Segments; (c, h, w) of each level; width of each teacher."""


def normal(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def example(seed: int, teachers: int = 2) -> tuple[Batch, StudentOutput]:
    g = torch.Generator().manual_seed(seed)
    lengths = [torch.randint(1, w + 1, (N,), generator=g) for _, _, w in MAPS]
    masks = tuple(torch.arange(m[2])[None] < n[:, None] for m, n in zip(MAPS, lengths, strict=True))
    maps = tuple(normal(g, N, *m) for m in MAPS)
    batch = Batch(
        features=torch.zeros(N, 3, 4, 5),
        lengths=torch.full((N,), 5),
        labels=torch.zeros(N, dtype=torch.int64),
        teacher_logits=torch.zeros(teachers, N, 2),
        teacher_pooled=tuple(normal(g, N, p) for p in WIDTHS[:teachers]),
        teacher_frames=tuple(normal(g, N, 9, d) for d in WIDTHS[:teachers]),
        teacher_lengths=tuple(torch.randint(1, 10, (N,), generator=g) for _ in range(teachers)),
    )
    return batch, StudentOutput(
        logits=torch.zeros(N, 2),
        embedding=torch.zeros(N, 2),
        maps=maps,
        masks=masks,
        last_map=maps[-1],
        last_mask=masks[-1],
    )


def randomised(term: nn.Module, seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    term.double()
    with torch.no_grad():
        for parameter in term.parameters():
            parameter.copy_(normal(generator, *parameter.shape))
    return term


def squared_distance(project: nn.Module, source: np.ndarray, target: np.ndarray) -> float:
    """Mean over dimensions, both sides scaled to a mean square of one."""
    matrix, bias = (p.detach().numpy() for p in project.parameters())
    made = np.array([row @ source + b for row, b in zip(matrix, bias, strict=True)])
    made = made / np.sqrt(np.mean(made**2))
    target = target / np.sqrt(np.mean(target**2))
    return float(np.mean([(a - b) ** 2 for a, b in zip(made, target, strict=True)]))


@pytest.mark.parametrize("groups", ["groups", "all"])
def test_pooled_matches_reference(groups: str) -> None:
    batch, output = example(0)
    term = PooledHint([2, 4], WIDTHS, groups)  # pyright: ignore[reportArgumentType]
    randomised(term, 1)
    expected = 0.0
    for (t, level), project in zip(term.pairs, term.projections.values(), strict=True):
        channels, bins, frames = MAPS[level]
        v, mask = output.maps[level].numpy(), output.masks[level].numpy()
        for i in range(N):
            real = [w for w in range(frames) if mask[i, w]]
            pooled = np.zeros(channels)
            for c, h, w in itertools.product(range(channels), range(bins), real):
                pooled[c] += v[i, c, h, w] / (bins * len(real))
            expected += squared_distance(project, pooled, batch.teacher_pooled[t][i].numpy()) / N
    assert term(batch, output).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("groups", ["groups", "all"])
def test_frames_match_reference(groups: str) -> None:
    batch, output = example(2)
    term = FrameHint([2, 4], WIDTHS, groups)  # pyright: ignore[reportArgumentType]
    randomised(term, 3)
    expected = 0.0
    for (t, level), project in zip(term.pairs, term.projections.values(), strict=True):
        v, mask = output.maps[level].numpy(), output.masks[level].numpy()
        distances = []
        for i in range(N):
            frames = int(mask[i].sum())
            heard = int(batch.teacher_lengths[t][i])
            u = batch.teacher_frames[t][i].numpy()
            for w in range(frames):
                place = min(max((w + 0.5) * heard / frames - 0.5, 0.0), heard - 1.0)
                low = int(place)
                high = min(low + 1, heard - 1)
                target = (1 - (place - low)) * u[low] + (place - low) * u[high]
                source = np.array([v[i, c, :, w].mean() for c in range(v.shape[1])])
                distances.append(squared_distance(project, source, target))
        expected += sum(distances) / len(distances)
    assert term(batch, output).item() == pytest.approx(expected, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_interpolation_is_torchs_own_on_real_frames(seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    frames = normal(g, 4, 11, 3)
    source = torch.randint(1, 12, (4,), generator=g)
    wanted = torch.randint(1, 9, (4,), generator=g)
    got = interpolate_frames(frames, source, wanted, 8)
    for i in range(4):
        alone = frames[i, : source[i]].T[None]
        expected = F.interpolate(alone, size=int(wanted[i]), mode="linear", align_corners=False)
        torch.testing.assert_close(got[i, : wanted[i]], expected[0].T)


def test_projected_cosine_is_the_cosine_of_the_projection() -> None:
    g = torch.Generator().manual_seed(4)
    project = randomised(nn.Linear(3, 8), 5)
    assert isinstance(project, nn.Linear)
    source, target = normal(g, 2, 3, 5), normal(g, 2, 5, 8)
    expected = F.cosine_similarity(project(source.mT), target, dim=-1)
    torch.testing.assert_close(projected_cosine(project, source, target), expected)


@pytest.mark.parametrize(
    ("teachers", "levels", "expected"),
    [
        (1, 3, [(0, 0), (0, 1), (0, 2)]),
        (2, 3, [(0, 0), (0, 1), (1, 2)]),
        (2, 4, [(0, 0), (0, 1), (1, 2), (1, 3)]),
        (3, 2, [(0, 0), (1, 0), (2, 1)]),
    ],
)
def test_groups(teachers: int, levels: int, expected: list[tuple[int, int]]) -> None:
    assert pair_levels(teachers, levels, "groups") == expected
    assert pair_levels(teachers, levels, "all") == list(
        itertools.product(range(teachers), range(levels))
    )


@settings(max_examples=30, deadline=None)
@given(teachers=st.integers(1, 6), levels=st.integers(1, 6))
def test_groups_leave_nobody_alone_and_overload_nobody(teachers: int, levels: int) -> None:
    pairs = pair_levels(teachers, levels, "groups")
    for side, size in ((0, teachers), (1, levels)):
        loads = [sum(pair[side] == member for pair in pairs) for member in range(size)]
        assert min(loads) >= 1
        assert max(loads) - min(loads) <= 1


@pytest.mark.parametrize("kind", [PooledHint, FrameHint])
def test_gradients(kind: type[PooledHint | FrameHint]) -> None:
    batch, output = example(6)
    term = randomised(kind([2, 4], WIDTHS, "all"), 7)
    maps = tuple(v.requires_grad_() for v in output.maps)

    def loss(*_: torch.Tensor) -> torch.Tensor:
        return term(batch, output)

    assert torch.autograd.gradcheck(loss, (*maps, *term.parameters()))


@pytest.mark.parametrize("kind", [PooledHint, FrameHint])
def test_padding_is_not_read(kind: type[PooledHint | FrameHint]) -> None:
    batch, output = example(8)
    term = randomised(kind([2, 4], WIDTHS, "all"), 9)
    value = term(batch, output).item()
    for v, mask in zip(output.maps, output.masks, strict=True):
        v[(~mask[:, None, None]).expand_as(v)] = 1e3
    for u, lengths in zip(batch.teacher_frames, batch.teacher_lengths, strict=True):
        u[torch.arange(9)[None] >= lengths[:, None]] = -1e3
    assert term(batch, output).item() == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("kind", [PooledHint, FrameHint])
def test_silence_stays_finite(kind: type[PooledHint | FrameHint]) -> None:
    batch, output = example(10)
    term = kind([2, 4], WIDTHS, "all").double()
    with torch.no_grad():
        for parameter in term.parameters():
            parameter.zero_()
    maps = tuple(torch.zeros_like(v).requires_grad_() for v in output.maps)
    output = StudentOutput(
        output.logits, output.embedding, maps, output.masks, maps[-1], output.masks[-1]
    )
    value = term(batch, output)
    value.backward()
    assert value.isfinite()
    gradients = [p.grad for p in (*maps, *term.parameters())]
    assert all(g is not None and g.isfinite().all() for g in gradients)
