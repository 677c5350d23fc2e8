"""Integrated soft targets and kl, against sums written out in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from serbench_akd.terms import SoftTargetDivergence, integrate

SEEDS = st.integers(0, 2**32 - 1)


def softmax(row: np.ndarray) -> np.ndarray:
    powers = np.array([math.exp(z - row.max()) for z in row])
    return powers / powers.sum()


def reference_target(logits: np.ndarray, weights: np.ndarray, temperature: float) -> np.ndarray:
    m, n, c = logits.shape
    target = np.zeros((n, c))
    for t in range(m):
        for i in range(n):
            target[i] += weights[t, i] * softmax(logits[t, i] / temperature)
    return target


def random_weights(rng: np.random.Generator, m: int, n: int) -> np.ndarray:
    return rng.dirichlet(np.ones(m), size=n).T


@pytest.mark.parametrize(("m", "temperature"), [(1, 2.0), (3, 1.0), (2, 5.0)])
def test_integrate_is_the_weighted_sum_of_softmaxes(m: int, temperature: float) -> None:
    rng = np.random.default_rng(m)
    logits, weights = 4 * rng.normal(size=(m, 6, 5)), random_weights(rng, m, 6)
    got = integrate(torch.tensor(logits), torch.tensor(weights).log(), temperature).exp()
    np.testing.assert_allclose(got, reference_target(logits, weights, temperature), atol=1e-12)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_kl_matches_reference(temperature: float) -> None:
    rng = np.random.default_rng(1)
    teacher, student = 3 * rng.normal(size=(2, 6, 5)), 3 * rng.normal(size=(6, 5))
    weights = random_weights(rng, 2, 6)
    target = reference_target(teacher, weights, temperature)
    expected = np.zeros(6)
    for i in range(6):
        soft = softmax(student[i] / temperature)
        for c in range(5):
            expected[i] += temperature**2 * target[i, c] * math.log(target[i, c] / soft[c])
    log_target = integrate(torch.tensor(teacher), torch.tensor(weights).log(), temperature)
    got = SoftTargetDivergence(temperature)(log_target, torch.tensor(student))
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_kl_is_teacher_first() -> None:
    sharp, flat = torch.tensor([[4.0, 0.0]]).double(), torch.zeros(1, 2).double()
    kl = SoftTargetDivergence(1.0)
    p = 1 / (1 + math.exp(-4.0))
    expected = p * math.log(2 * p) + (1 - p) * math.log(2 * (1 - p))
    assert kl(sharp.log_softmax(-1), flat).item() == pytest.approx(expected, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, shift=st.floats(-50, 50), temperature=st.floats(0.5, 8.0))
def test_kl_is_zero_iff_equal(seed: int, shift: float, temperature: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(4, 5, generator=generator, dtype=torch.float64)
    kl = SoftTargetDivergence(temperature)
    log_target = (logits / temperature).log_softmax(-1)
    assert kl(log_target, logits + shift).abs().max() < 1e-9
    moved = logits.clone()
    moved[:, 0] += 0.5
    assert kl(log_target, moved).min() > 1e-5


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_permuting_teachers_with_their_weights_changes_nothing(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 4, 5, generator=generator, dtype=torch.float64)
    log_weights = torch.randn(3, 4, generator=generator, dtype=torch.float64).log_softmax(0)
    order = torch.randperm(3, generator=generator)
    torch.testing.assert_close(
        integrate(logits[order], log_weights[order], 2.0), integrate(logits, log_weights, 2.0)
    )


def test_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    scores = torch.randn(2, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    student = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    kl = SoftTargetDivergence(2.0)

    def loss(z_t: torch.Tensor, s: torch.Tensor, z_s: torch.Tensor) -> torch.Tensor:
        return kl(integrate(z_t, s.log_softmax(0), 2.0), z_s)

    assert torch.autograd.gradcheck(loss, (teacher, scores, student))


@pytest.mark.parametrize("teacher", ["one-hot", "uniform"])
@pytest.mark.parametrize("student", [1e4, -1e4, 0.0])
def test_extreme_logits_stay_finite(teacher: str, student: float) -> None:
    z_t = torch.zeros(2, 3, 4)
    if teacher == "one-hot":
        z_t[..., 0] = 1e4
        z_t[1, :, 1] = -1e4
    z_s = torch.zeros(3, 4)
    z_s[:, 2] = student
    z_s.requires_grad_()
    scores = torch.zeros(2, 3, requires_grad=True)
    value = SoftTargetDivergence(2.0)(integrate(z_t, scores.log_softmax(0), 2.0), z_s).sum()
    value.backward()
    assert value.isfinite()
    assert z_s.grad is not None
    assert z_s.grad.isfinite().all()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
