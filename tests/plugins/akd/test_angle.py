"""The angle term, against a triple loop."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from serbench_akd.terms import Angle
from serbench_akd.terms.angle import ARCCOS_LIMIT, COINCIDENT, Comparison

COMPARISONS: tuple[Comparison, ...] = ("cosine", "arccos")
SEEDS = st.integers(0, 2**32 - 1)


def reference(teacher: np.ndarray, student: np.ndarray, comparison: Comparison) -> float:
    def psi(x: np.ndarray, i: int, j: int, k: int) -> float | None:
        first, second = x[i] - x[j], x[i] - x[k]
        a, b = math.sqrt(first @ first), math.sqrt(second @ second)
        if a <= COINCIDENT or b <= COINCIDENT:
            return None
        cosine = float(first @ second) / (a * b)
        if comparison == "cosine":
            return cosine
        return math.acos(min(max(cosine, -ARCCOS_LIMIT), ARCCOS_LIMIT))

    total, count = 0.0, 0
    n = len(teacher)
    for i in range(n):
        for j in range(n):
            for k in range(n):
                if len({i, j, k}) < 3:
                    continue
                left, right = psi(teacher, i, j, k), psi(student, i, j, k)
                if left is None or right is None:
                    continue
                gap = abs(left - right)
                total += 0.5 * gap**2 if gap <= 1.0 else gap - 0.5
                count += 1
    return total / max(count, 1)


def rows(seed: int, n: int = 7, d: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    made = torch.randn(2, n, d, generator=generator, dtype=torch.float64)
    return made[0].softmax(-1), (3 * made[1]).softmax(-1)


@pytest.mark.parametrize("comparison", COMPARISONS)
@pytest.mark.parametrize("seed", [0, 1])
def test_matches_reference(comparison: Comparison, seed: int) -> None:
    teacher, student = rows(seed)
    expected = reference(teacher.numpy(), student.numpy(), comparison)
    assert expected > 1e-3
    assert Angle(comparison)(teacher, student).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_huber_is_linear_beyond_one(comparison: Comparison) -> None:
    teacher = torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    student = teacher[[1, 0, 2]]
    expected = reference(teacher.numpy(), student.numpy(), comparison)
    assert Angle(comparison)(teacher, student).item() == pytest.approx(expected, abs=1e-6)
    if comparison == "cosine":  # ψ at rows 0 and 1 swaps from ±1 to ∓1: a gap of 2, Huber 1.5
        assert expected == pytest.approx(2 / 3 * 1.5)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_coincident_rows_are_left_out(comparison: Comparison) -> None:
    teacher, student = rows(2)
    teacher, student = teacher.clone(), student.clone()
    teacher[3] = teacher[0]
    student[5] = student[1] = student[2]
    student.requires_grad_()
    value = Angle(comparison)(teacher, student)
    expected = reference(teacher.numpy(), student.detach().numpy(), comparison)
    assert value.item() == pytest.approx(expected, abs=1e-6)
    value.backward()
    assert student.grad is not None
    assert student.grad.isfinite().all()
    assert student.grad.abs().max() < 100


@pytest.mark.parametrize("comparison", COMPARISONS)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_no_triple_no_loss(comparison: Comparison, n: int) -> None:
    student = torch.full((n, 3), 1 / 3, requires_grad=True)
    value = Angle(comparison)(torch.rand(n, 3, generator=torch.Generator().manual_seed(0)), student)
    value.backward()
    assert value.item() == 0.0
    assert student.grad is not None
    assert (student.grad == 0).all()


def test_gradients_cosine() -> None:
    teacher, student = rows(3, n=5)
    inputs = (teacher.requires_grad_(), student.requires_grad_())
    assert torch.autograd.gradcheck(Angle("cosine"), inputs)


def test_gradients_arccos() -> None:
    # Rows in general position, so that no angle is at the clamp, where arccos has a corner.
    generator = torch.Generator().manual_seed(5)
    teacher, student = torch.randn(2, 4, 6, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        Angle("arccos"), (teacher.requires_grad_(), student.requires_grad_())
    )


@pytest.mark.parametrize("comparison", COMPARISONS)
@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_extreme_logits_stay_finite(comparison: Comparison, scale: float) -> None:
    teacher = torch.eye(4)[[0, 1, 2, 3, 0, 1]]
    logits = (scale * torch.eye(4)[[0, 1, 1, 2, 3, 0]]).requires_grad_()
    value = Angle(comparison)(teacher, logits.softmax(-1))
    value.backward()
    assert value.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@settings(max_examples=25, deadline=None)
@given(
    seed=SEEDS,
    shift=st.floats(-10, 10),
    scale=st.floats(0.1, 10),
    comparison=st.sampled_from(COMPARISONS),
)
def test_shift_and_scale_of_either_side_change_nothing(
    seed: int, shift: float, scale: float, comparison: Comparison
) -> None:
    generator = torch.Generator().manual_seed(seed)
    teacher, student = torch.randn(2, 5, 6, generator=generator, dtype=torch.float64)
    term = Angle(comparison)
    torch.testing.assert_close(term(teacher, scale * student + shift), term(teacher, student))
    torch.testing.assert_close(term(scale * teacher + shift, student), term(teacher, student))


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, comparison=st.sampled_from(COMPARISONS))
def test_permutation_of_the_batch_and_rotation_change_nothing(
    seed: int, comparison: Comparison
) -> None:
    generator = torch.Generator().manual_seed(seed)
    teacher, student = torch.randn(2, 5, 6, generator=generator, dtype=torch.float64)
    order = torch.randperm(5, generator=generator)
    rotation, _ = torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64))
    term = Angle(comparison)
    torch.testing.assert_close(term(teacher[order], student[order]), term(teacher, student))
    torch.testing.assert_close(term(teacher, student @ rotation), term(teacher, student))
    assert term(teacher, teacher @ rotation).item() < 1e-12


def test_a_batch_of_64_is_quick() -> None:
    teacher, student = rows(4, n=64, d=7)
    teacher, student = teacher.float(), student.float().requires_grad_()
    term = Angle()
    term(teacher, student).backward()
    start = time.process_time()
    term(teacher, student).backward()
    assert time.process_time() - start < 0.2  # a triple loop takes seconds
