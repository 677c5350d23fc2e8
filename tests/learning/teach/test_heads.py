from __future__ import annotations

import time
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from torch.nn import functional as F

from serbench.api import TeacherError
from serbench.learning.teach.embeddings import TrainingEmbeddings
from serbench.learning.teach.heads import fit_head, fit_path
from serbench.learning.teach.logistic import fit_logistic, row_space


def task(
    samples: int, layers: int, dims: int, classes: int, seed: int = 0, signal: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian classes; dimensions of very different scale and offset."""
    draw = np.random.default_rng(seed)
    labels = np.arange(samples) % classes
    centres = draw.normal(size=(classes, layers, dims)) * signal
    values = centres[labels] + draw.normal(size=(samples, layers, dims))
    scaled = values * 10.0 ** draw.uniform(-2, 2, dims) + draw.normal(size=dims)
    return scaled.astype(np.float32), labels.astype(np.int64)


def of(pooled: np.ndarray, labels: np.ndarray) -> TrainingEmbeddings:
    """As of a training partition of one speaker."""
    return TrainingEmbeddings(pooled, labels, ("s1",) * len(labels))


def reference(pooled: np.ndarray, labels: np.ndarray, strength: float) -> LogisticRegression:
    model = LogisticRegression(C=strength, max_iter=10_000, tol=1e-8)
    return model.fit(pooled, labels)


@pytest.mark.parametrize(("samples", "dims"), [(40, 90), (120, 15), (30, 30)])
@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_head_against_scikit_learn(samples: int, dims: int, strength: float) -> None:
    everything, all_labels = task(samples + 50, 1, dims, 4, signal=0.3)
    pooled, labels, fresh = everything[:samples], all_labels[:samples], everything[samples:]
    head = fit_head(of(pooled, labels), 4, strength)
    flat = pooled[:, 0].astype(np.float64)
    mean, deviation = flat.mean(0), flat.std(0)
    due = reference((flat - mean) / deviation, labels, strength)
    ours = softmax(head.predict(fresh), axis=1)
    theirs = due.predict_proba((fresh[:, 0] - mean) / deviation)
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_path_equals_single_fits() -> None:
    pooled, labels = task(60, 1, 40, 3, signal=0.5)
    strengths = (0.001, 0.1, 1.0)
    for head, strength in zip(fit_path(of(pooled, labels), 3, strengths), strengths, strict=True):
        alone = fit_head(of(pooled, labels), 3, strength)
        assert head.strength == strength
        np.testing.assert_allclose(head.predict(pooled), alone.predict(pooled), atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(samples=st.integers(2, 25), dims=st.integers(1, 40), seed=st.integers(0, 99))
def test_row_space_loses_nothing(samples: int, dims: int, seed: int) -> None:
    inputs = np.random.default_rng(seed).normal(size=(samples, dims))
    space = row_space(inputs)
    np.testing.assert_allclose(space.coordinates @ space.basis.T, inputs, atol=1e-6)
    np.testing.assert_allclose(space.basis.T @ space.basis, np.eye(space.basis.shape[1]), atol=1e-6)
    np.testing.assert_allclose((space.coordinates**2).sum(0), space.energy, rtol=1e-6)


def test_row_space_of_constant_inputs_is_empty() -> None:
    space = row_space(np.zeros((5, 3)))
    solution = fit_logistic(space, np.array([0, 0, 0, 1, 1]), 2, 1.0)
    assert space.basis.shape == (3, 0)
    np.testing.assert_allclose(solution.bias[0] - solution.bias[1], np.log(3 / 2), atol=1e-4)


def test_objective_is_a_minimum() -> None:
    pooled, labels = task(50, 1, 20, 3, signal=0.3)
    inputs = pooled[:, 0] / np.abs(pooled[:, 0]).max(0)
    space = row_space(inputs.astype(np.float64))
    best = fit_logistic(space, labels, 3, 0.5)
    draw = np.random.default_rng(0)
    for _ in range(20):
        weight = torch.tensor(best.weight + 1e-2 * draw.normal(size=best.weight.shape))
        bias = torch.tensor(best.bias + 1e-2 * draw.normal(size=3))
        logits = torch.tensor(space.coordinates) @ weight + bias
        value = F.cross_entropy(logits, torch.tensor(labels)) + weight.square().sum() / (
            2 * 0.5 * 50
        )
        assert float(value) > best.objective


def test_class_that_was_never_seen_is_unlikely_but_finite() -> None:
    pooled, labels = task(30, 1, 8, 2)
    logits = fit_head(of(pooled, labels * 2), 4, 0.1).predict(pooled)  # classes 0 and 2 of 4
    posterior = softmax(logits.astype(np.float64), axis=1)
    assert np.isfinite(logits).all()
    # 1 / (N + 1) for one unseen class; with two of them, 1 / (N + 2) each.
    np.testing.assert_allclose(posterior[:, [1, 3]], 1 / 32, rtol=1e-4)


def test_constant_dimension_changes_nothing() -> None:
    pooled, labels = task(40, 1, 6, 3)
    padded = np.concatenate([pooled, np.full((40, 1, 1), 7.3, np.float32)], axis=2)
    np.testing.assert_allclose(
        fit_head(of(padded, labels), 3, 0.1).predict(padded),
        fit_head(of(pooled, labels), 3, 0.1).predict(pooled),
        atol=1e-3,
    )


def test_single_class_and_bad_shapes_and_values() -> None:
    pooled, labels = task(10, 1, 4, 2)
    with pytest.raises(TeacherError, match="are of class 0"):
        fit_head(of(pooled, np.zeros(10, np.int64)), 2, 1.0)
    with pytest.raises(TeacherError, match=r"\(10, 1, 4\) and \(9,\)"):
        fit_head(of(pooled, labels[:9]), 2, 1.0)
    pooled[3, 0, 1] = np.nan
    with pytest.raises(TeacherError, match="not finite"):
        fit_head(of(pooled, labels), 2, 1.0)


@pytest.mark.parametrize("layers", [1, 3])
def test_a_weight_counts_as_so_many_copies(layers: int) -> None:
    pooled, labels = task(40, layers, 12, 3, signal=0.4)
    copies = np.random.default_rng(3).integers(1, 4, len(labels))
    weighted = replace(of(pooled, labels), weights=copies.astype(np.float64))
    repeated = of(np.repeat(pooled, copies, axis=0), np.repeat(labels, copies))
    one, other = fit_head(weighted, 3, 0.1), fit_head(repeated, 3, 0.1)
    np.testing.assert_allclose(one.layer_weights, other.layer_weights, atol=1e-3)
    np.testing.assert_allclose(one.predict(pooled), other.predict(pooled), atol=2e-3)
    plain = fit_head(of(pooled, labels), 3, 0.1).predict(pooled)
    assert np.abs(one.predict(pooled) - plain).max() > 0.02


def test_weighted_head_against_scikit_learn() -> None:
    pooled, labels = task(60, 1, 20, 4, signal=0.3)
    weights = np.random.default_rng(1).uniform(0.1, 1.0, 60)
    head = fit_head(replace(of(pooled, labels), weights=weights), 4, 0.1)
    flat = pooled[:, 0].astype(np.float64)
    mean = np.average(flat, axis=0, weights=weights)
    standard = (flat - mean) / np.sqrt(np.average((flat - mean) ** 2, axis=0, weights=weights))
    model = LogisticRegression(C=0.1, max_iter=10_000, tol=1e-8)
    due = model.fit(standard, labels, sample_weight=weights).predict_proba(standard)
    np.testing.assert_allclose(softmax(head.predict(pooled), axis=1), due, atol=2e-4)


def joint_objective(
    standard: torch.Tensor, labels: torch.Tensor, strength: float, start: torch.Tensor
) -> float:
    """The mix's objective, minimised over everything at once by torch's own L-BFGS."""
    layers, dims, classes = standard.shape[1], standard.shape[2], int(labels.max()) + 1
    scores = start.clone().requires_grad_()
    weight = torch.zeros(dims, classes, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [scores, weight, bias], max_iter=2000, line_search_fn="strong_wolfe", tolerance_change=1e-12
    )

    def value() -> torch.Tensor:
        assert layers == len(scores)
        mixed = torch.einsum("l,nlp->np", scores.softmax(0), standard)
        penalty = weight.square().sum() / (2 * strength * len(labels))
        return F.cross_entropy(mixed @ weight + bias, labels) + penalty

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        result = value()
        result.backward()
        return result

    optimiser.step(closure)
    return float(value().detach())


def test_layer_mix_reaches_the_joint_optimum() -> None:
    pooled, labels = task(60, 3, 12, 3, signal=0.4)
    head = fit_head(of(pooled, labels), 3, 0.1)
    standard = torch.tensor((pooled - head.mean) / head.scale)
    due = joint_objective(standard, torch.tensor(labels), 0.1, torch.zeros(3, dtype=torch.float64))
    logits = torch.tensor(head.predict(pooled), dtype=torch.float64)
    ours = F.cross_entropy(logits, torch.tensor(labels)) + np.sum(head.weight**2) / (2 * 0.1 * 60)
    assert float(ours) == pytest.approx(due, rel=2e-3)


def test_layer_mix_finds_the_layer_that_matters() -> None:
    pooled, labels = task(90, 4, 10, 3, signal=2.0)
    draw = np.random.default_rng(5)
    pooled[:, [0, 1, 3]] = draw.normal(size=(90, 3, 10))  # only layer 2 knows the class
    head = fit_head(of(pooled, labels), 3, 1.0)
    assert head.layer_weights.sum() == pytest.approx(1.0)
    assert head.layer_weights.argmax() == 2
    assert head.layer_weights[2] > 0.8


def test_fits_are_deterministic() -> None:
    pooled, labels = task(40, 3, 12, 3, signal=0.4)
    first, second = (
        fit_path(of(pooled, labels), 3, (0.01, 1.0))[1].predict(pooled) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_fit_is_silent_on_separable_data() -> None:
    pooled, labels = task(40, 1, 200, 4, signal=5.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logits = fit_head(of(pooled, labels), 4, 1.0).predict(pooled)
    assert (logits.argmax(axis=1) == labels).all()


def test_path_over_wide_embeddings_is_fast() -> None:
    pooled, labels = task(344, 1, 1024, 7, signal=0.3)
    start_s = time.process_time()
    fit_path(of(pooled, labels), 7, (0.001, 0.01, 0.1, 1.0))
    assert time.process_time() - start_s < 2.0  # 0.1 s on an idle core
