"""The losses `ce` and `kd`, against sums and gradients written out in NumPy."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from serbench.api import Batch, LossShape, PluginError, StudentOutput
from serbench_baselines.ce import CrossEntropy, CrossEntropyParams
from serbench_baselines.kd import Distillation, DistillationParams
from serbench_baselines.plugin import serbench_losses, serbench_students

N, C = 5, 4
SHAPE = LossShape(C, 3, ((2, 2),), 2, num_teachers=1)
ALONE = replace(SHAPE, num_teachers=0)


def example(seed: int = 0, m: int = 1) -> tuple[Batch, StudentOutput]:
    g = torch.Generator().manual_seed(seed)
    batch = Batch(
        features=torch.zeros(N, 3, 4, 5),
        lengths=torch.full((N,), 5),
        labels=torch.randint(0, C, (N,), generator=g),
        teacher_logits=3 * torch.randn(m, N, C, generator=g),
    )
    logits = (2 * torch.randn(N, C, generator=g)).requires_grad_()
    last = torch.zeros(N, 2, 2, 5)
    mask = torch.ones(N, 5, dtype=torch.bool)
    return batch, StudentOutput(logits, torch.zeros(N, 3), (last,), (mask,), last, mask)


def softmax(row: np.ndarray) -> np.ndarray:
    powers = np.exp(row - row.max())
    return powers / powers.sum()


def gradient(terms: dict[str, torch.Tensor], output: StudentOutput) -> np.ndarray:
    (grad,) = torch.autograd.grad(terms["total"], output.logits)
    return grad.numpy()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_ce_matches_reference(smoothing: float) -> None:
    batch, output = example()
    loss = CrossEntropy(CrossEntropyParams(label_smoothing=smoothing))
    assert loss.needs == frozenset()
    terms = loss.build(ALONE)(batch, output)
    value, slope = 0.0, np.zeros((N, C))
    for i, row in enumerate(output.logits.detach().double().numpy()):
        posterior = softmax(row)
        target = np.full(C, smoothing / C)
        target[int(batch.labels[i])] += 1 - smoothing
        value -= math.fsum(target * np.log(posterior)) / N
        slope[i] = (posterior - target) / N
    assert set(terms) == {"ce", "total"}
    assert terms["total"].item() == pytest.approx(value, abs=1e-6)
    np.testing.assert_allclose(gradient(terms, output), slope, atol=1e-6)


COUNTS = (6, 0, 3, 1)


@pytest.mark.parametrize("weights", ["none", "balanced"])
@pytest.mark.parametrize(("gamma", "smoothing"), [(0.0, 0.0), (2.0, 0.0), (0.5, 0.0), (2.0, 0.2)])
def test_weighted_and_focal_ce_match_the_reference(
    weights: str, gamma: float, smoothing: float
) -> None:
    batch, output = example(3)
    batch = replace(batch, labels=torch.tensor([0, 2, 3, 0, 2]))
    params = {"class_weights": weights, "focal": gamma, "label_smoothing": smoothing}
    module = CrossEntropy(CrossEntropyParams.model_validate(params)).build(
        replace(ALONE, label_counts=COUNTS)
    )
    terms = module(batch, output)

    def loss(logits: np.ndarray) -> float:
        total = 0.0
        for row, label in zip(logits, batch.labels.tolist(), strict=True):
            posterior = softmax(row)
            weight = sum(COUNTS) / (3 * COUNTS[label]) if weights == "balanced" else 1.0
            target = np.full(C, smoothing / C)
            target[label] += 1 - smoothing
            cross = -math.fsum(target * np.log(posterior))
            total += weight * (1 - posterior[label]) ** gamma * cross / N
        return float(total)

    logits = output.logits.detach().double().numpy()
    assert terms["total"].item() == pytest.approx(loss(logits), rel=1e-5)
    slope, step = np.zeros((N, C)), 1e-5
    for at in np.ndindex(N, C):
        moved = np.zeros((N, C))
        moved[at] = step
        slope[at] = (loss(logits + moved) - loss(logits - moved)) / (2 * step)
    np.testing.assert_allclose(gradient(terms, output), slope, atol=1e-6)


def test_balanced_classes_count_alike() -> None:
    """Over the training partition the loss is the mean over classes of their means."""
    labels = torch.tensor([0] * 6 + [2] * 3 + [3])
    logits = torch.randn(10, C, generator=torch.Generator().manual_seed(0))
    batch, output = example()
    loss = CrossEntropy(CrossEntropyParams(class_weights="balanced"))
    module = loss.build(replace(ALONE, label_counts=COUNTS))
    found = module(replace(batch, labels=labels), replace(output, logits=logits))["total"]
    each = -np.log([softmax(r)[k] for r, k in zip(logits.double().numpy(), labels, strict=True)])
    means = [each[labels.numpy() == k].mean() for k in (0, 2, 3)]
    assert found.item() == pytest.approx(np.mean(means), rel=1e-6)


def test_class_weights_without_labels_are_refused() -> None:
    loss = CrossEntropy(CrossEntropyParams(class_weights="balanced"))
    with pytest.raises(PluginError, match="needs labels to count"):
        loss.build(ALONE)


@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize(("alpha", "temperature"), [(0.5, 2.0), (0.9, 4.0), (1.0, 1.0), (0.0, 2.0)])
def test_kd_matches_reference(m: int, alpha: float, temperature: float) -> None:
    batch, output = example(1, m)
    loss = Distillation(DistillationParams(alpha=alpha, temperature=temperature))
    terms = loss.build(SHAPE)(batch, output)
    ce, kl, slope = 0.0, 0.0, np.zeros((N, C))
    for i, row in enumerate(output.logits.detach().double().numpy()):
        posterior, soft = softmax(row), softmax(row / temperature)
        truth = np.eye(C)[int(batch.labels[i])]
        teachers = batch.teacher_logits[:, i].double().numpy()
        target = sum(softmax(z / temperature) for z in teachers) / m
        ce -= math.log(posterior[int(batch.labels[i])]) / N
        kl += temperature**2 * math.fsum(target * np.log(target / soft)) / N
        slope[i] = (1 - alpha) * (posterior - truth) / N + alpha * temperature * (soft - target) / N
    assert terms["total"].item() == pytest.approx((1 - alpha) * ce + alpha * kl, rel=1e-6, abs=1e-6)
    expected = {name: v for name, v, on in (("ce", ce, alpha < 1), ("kl", kl, alpha > 0)) if on}
    assert {n: v.item() for n, v in terms.items() if n != "total"} == pytest.approx(
        expected, rel=1e-6, abs=1e-6
    )
    np.testing.assert_allclose(gradient(terms, output), slope, atol=2e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_kl_is_zero_where_the_student_is_the_teacher(seed: int) -> None:
    batch, output = example(seed)
    output = replace(output, logits=batch.teacher_logits[0] + 3.0)
    module = Distillation(DistillationParams(alpha=1.0)).build(SHAPE)
    assert abs(module(batch, output)["kl"].item()) < 1e-5


@pytest.mark.parametrize("scale", [1e4, -1e4, 0.0])
@pytest.mark.parametrize("teacher", [1e4, 0.0])
def test_extremes_stay_finite(scale: float, teacher: float) -> None:
    batch, output = example()
    batch = replace(batch, teacher_logits=teacher * batch.teacher_logits.sign())
    logits = (scale * output.logits.detach().sign()).requires_grad_()
    output = replace(output, logits=logits)
    for module in (
        Distillation(DistillationParams()).build(SHAPE),
        CrossEntropy(CrossEntropyParams(label_smoothing=0.1)).build(ALONE),
        CrossEntropy(CrossEntropyParams(focal=0.5)).build(ALONE),
        CrossEntropy(CrossEntropyParams(focal=2.0)).build(ALONE),
    ):
        terms = module(batch, output)
        assert terms["total"].isfinite()
        assert np.isfinite(gradient(terms, output)).all()


def test_needs() -> None:
    assert Distillation(DistillationParams()).needs == {"soft_targets"}
    assert Distillation(DistillationParams(alpha=0.0)).needs == frozenset()


def test_kd_without_a_teacher_is_said() -> None:
    with pytest.raises(PluginError, match="needs a teacher, but the run has none"):
        Distillation(DistillationParams()).build(ALONE)
    assert Distillation(DistillationParams(alpha=0.0)).build(ALONE) is not None


@pytest.mark.parametrize(
    ("model", "params"),
    [
        (CrossEntropyParams, {"label_smoothing": 1.0}),
        (CrossEntropyParams, {"smoothing": 0.1}),
        (CrossEntropyParams, {"focal": -1.0}),
        (CrossEntropyParams, {"class_weights": "inverse"}),
        (DistillationParams, {"alpha": 1.1}),
        (DistillationParams, {"temperature": 0.0}),
    ],
)
def test_bad_settings_are_refused(model: type, params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(params))):
        model(**params)


def test_plugin() -> None:
    losses = [loss.name for loss in serbench_losses()]
    students = [student.name for student in serbench_students()]
    assert {"ce", "kd", "margin"} <= set(losses)
    assert {"transformer", "tim-net", "gm-tcnet", "light-ser", "cpac"} <= set(students)
