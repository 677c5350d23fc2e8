"""The gate γ and the task weight β, at and around their boundaries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from serbench_akd.terms import Gate, TaskWeight
from serbench_akd.terms.gate import Beta

POSTERIOR = torch.tensor(
    [[1.0, 0.0], [0.75, 0.25], [0.5, 0.5], [0.25, 0.75], [0.0, 1.0]], dtype=torch.float64
)
LABELS = torch.zeros(5, dtype=torch.int64)


def test_the_threshold_itself_is_reliable() -> None:
    reading = Gate(0.5)(POSTERIOR, LABELS)
    assert reading.error.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert reading.reliable.tolist() == [True, True, True, False, False]


@pytest.mark.parametrize(("threshold", "reliable"), [(0.0, [True, False]), (1.0, [True, True])])
def test_extreme_thresholds(threshold: float, reliable: list[bool]) -> None:
    reading = Gate(threshold)(POSTERIOR[[0, 4]], LABELS[:2])
    assert reading.reliable.tolist() == reliable


@pytest.mark.parametrize(
    ("beta", "expected"),
    [
        ("paper", [0.0, 0.25, 0.5, 1.0, 1.0]),
        ("floor", [0.4, 0.4, 0.5, 1.0, 1.0]),
        ("one", [1.0] * 5),
    ],
)
def test_task_weight(beta: Beta, expected: list[float]) -> None:
    weight = TaskWeight(beta, beta_min=0.4)(Gate(0.5)(POSTERIOR, LABELS))
    np.testing.assert_allclose(weight, expected, atol=1e-15)


def test_no_gradient_passes() -> None:
    posterior = POSTERIOR.clone().requires_grad_()
    assert not Gate(0.5)(posterior, LABELS).error.requires_grad


def test_rounding_above_one_gives_no_negative_error() -> None:
    reading = Gate(0.0)(torch.tensor([[1.0 + 1e-6, 0.0]]), LABELS[:1])
    assert reading.error.item() == 0.0
    assert reading.reliable.item()


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    threshold=st.floats(0, 1),
    beta_min=st.floats(0, 1),
)
def test_matches_reference(seed: int, threshold: float, beta_min: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    posterior = torch.randn(6, 4, generator=generator, dtype=torch.float64).softmax(-1)
    labels = torch.randint(0, 4, (6,), generator=generator)
    reading = Gate(threshold)(posterior, labels)
    floor, paper = TaskWeight("floor", beta_min)(reading), TaskWeight("paper", beta_min)(reading)
    for i in range(6):
        gamma = 1.0 - posterior[i, labels[i]].item()
        beta = gamma if gamma <= threshold else 1.0
        assert reading.error[i].item() == pytest.approx(gamma, abs=1e-12)
        assert reading.reliable[i].item() == (gamma <= threshold)
        assert paper[i].item() == pytest.approx(beta, abs=1e-12)
        assert floor[i].item() == pytest.approx(max(beta, beta_min), abs=1e-12)
    order = torch.randperm(6, generator=generator)
    torch.testing.assert_close(
        Gate(threshold)(posterior[order], labels[order]).error, reading.error[order]
    )
