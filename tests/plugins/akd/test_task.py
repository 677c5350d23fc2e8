"""The task terms, against loops in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from serbench_akd.terms import Concordance, CrossEntropy

LABELS = torch.tensor([0, 1, 2, 1, 0, 2])


def example(seed: int = 0, classes: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(len(LABELS), classes, generator=generator, dtype=torch.float64)


def truth(c: int) -> np.ndarray:
    return np.array([float(label == c) for label in LABELS.tolist()])


def softmax(row: np.ndarray) -> np.ndarray:
    powers = np.exp(row - row.max())
    return powers / powers.sum()


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_cross_entropy_matches_reference(smoothing: float) -> None:
    logits = example()
    expected = []
    for row, label in zip(logits.numpy(), LABELS.tolist(), strict=True):
        posterior = softmax(row)
        target = [smoothing / 3 + (1 - smoothing) * (c == label) for c in range(3)]
        expected.append(-math.fsum(t * math.log(p) for t, p in zip(target, posterior, strict=True)))
    np.testing.assert_allclose(CrossEntropy(smoothing)(logits, LABELS), expected, atol=1e-12)


def reference_concordance(x: np.ndarray, y: np.ndarray) -> float:
    """Lin's CCC as he writes it: 2 σ_xy / (σ_x² + σ_y² + (μ_x − μ_y)²)."""
    mean_x, mean_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    pairs = list(zip(x, y, strict=True))
    covariance = math.fsum((a - mean_x) * (b - mean_y) for a, b in pairs) / len(x)
    variances = math.fsum((a - mean_x) ** 2 + (b - mean_y) ** 2 for a, b in pairs) / len(x)
    return 2 * covariance / (variances + (mean_x - mean_y) ** 2)


def test_concordance_matches_reference() -> None:
    logits = example()
    posterior = np.stack([softmax(row) for row in logits.numpy()])
    ccc = [reference_concordance(posterior[:, c], truth(c)) for c in range(3)]
    got = Concordance()(logits, LABELS)
    assert got.shape == (6,)
    assert got.mean().item() == pytest.approx(1 - sum(ccc) / 3, abs=1e-12)


def test_concordance_leaves_absent_classes_out() -> None:
    logits = example(classes=5)
    posterior = np.stack([softmax(row) for row in logits.numpy()])
    ccc = [reference_concordance(posterior[:, c], truth(c)) for c in range(3)]
    got = Concordance()(logits, LABELS).mean().item()
    assert got == pytest.approx(1 - sum(ccc) / 3, abs=1e-12)


def test_concordance_of_one_class_alone_is_silent() -> None:
    logits = example().requires_grad_()
    value = Concordance()(logits, torch.zeros(6, dtype=torch.int64)).mean()
    value.backward()
    assert value.item() == 0.0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def test_concordance_of_the_truth_is_zero() -> None:
    logits = 50.0 * torch.eye(3, dtype=torch.float64)[LABELS]
    assert Concordance()(logits, LABELS).abs().max() < 1e-12


@pytest.mark.parametrize("task", [CrossEntropy(), CrossEntropy(0.1), Concordance()])
def test_gradients(task: nn.Module) -> None:
    logits = example(1, classes=4).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: task(z, LABELS), (logits,))


@pytest.mark.parametrize("task", [CrossEntropy(), CrossEntropy(0.1), Concordance()])
@pytest.mark.parametrize("scale", [1e4, -1e4, 0.0])
def test_extreme_logits_stay_finite(task: nn.Module, scale: float) -> None:
    logits = (scale * torch.eye(3)[[0, 0, 1, 1, 2, 2]]).requires_grad_()
    value = task(logits, LABELS).mean()
    value.backward()
    assert value.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_permutation_of_the_batch(seed: int) -> None:
    logits = example(seed)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    for task in (CrossEntropy(0.1), Concordance()):
        torch.testing.assert_close(task(logits[order], LABELS[order]), task(logits, LABELS)[order])
