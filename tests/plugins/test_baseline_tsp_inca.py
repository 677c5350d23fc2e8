"""INCA against its formula, pair by pair and feature by feature."""

from __future__ import annotations

import numpy as np
import pytest

from serbench.api import PluginError, StudentShape
from serbench_baselines.estimators.inca import Inca, feature_weights, neighbour_errors, objective
from serbench_baselines.tsp_inca import TspInca, TspIncaParams


def material(width: int, telling: int, count: int = 90) -> tuple[np.ndarray, ...]:
    """Rows in 0 … 1 of which the first values tell the class, labels, six groups."""
    draw = np.random.default_rng(width)
    labels = draw.integers(0, 3, count)
    rows = draw.random((count, width))
    rows[:, :telling] = 0.3 * rows[:, :telling] + 0.3 * labels[:, None]
    return rows, labels, np.arange(count) // 15


def by_pairs(rows: np.ndarray, labels: np.ndarray, weights: np.ndarray, width: float) -> float:
    total = 0.0
    for i, row in enumerate(rows):
        near = np.array(
            [
                0.0 if i == j else np.exp(-((weights**2) @ (row - other) ** 2) / width)
                for j, other in enumerate(rows)
            ]
        )
        total += near[labels == labels[i]].sum() / near.sum()
    share = 0.7 * np.mean(weights**2) / len(rows)
    return total / len(rows) - share


def test_the_objective_and_its_gradient() -> None:
    rows, labels, _ = material(5, 2, count=24)
    weights = np.array([1.2, 0.4, 0.9, -0.3, 1.0])
    value, gradient = objective(rows, labels, weights, 0.3, 0.7)
    assert value == pytest.approx(by_pairs(rows, labels, weights, 0.3), rel=1e-12)
    for place in range(5):
        step = 1e-6 * np.eye(5)[place]
        up, down = (by_pairs(rows, labels, weights + s, 0.3) for s in (step, -step))
        assert gradient[place] == pytest.approx((up - down) / 2e-6, abs=1e-8)


def test_telling_features_come_first() -> None:
    rows, labels, _ = material(300, 8)
    weights = feature_weights(rows.astype(np.float32), labels, steps=40, penalty=1.0)
    assert set(np.argsort(-weights)[:8].tolist()) == set(range(8))


def test_neighbours_are_other_groups() -> None:
    rows, labels, groups = material(40, 5)
    numbers = range(3, 41)
    expected = []
    for number in numbers:
        wrong = 0
        for i, row in enumerate(rows):
            others = np.flatnonzero(groups != groups[i])
            gaps = ((rows[others, :number] - row[:number]) ** 2).sum(axis=1)
            wrong += labels[others[gaps.argmin()]] != labels[i]
        expected.append(wrong / len(rows))
    np.testing.assert_allclose(neighbour_errors(rows, labels, groups, numbers), expected)


def test_inca_chooses_within_its_bounds_and_its_scores_are_its_decisions() -> None:
    rows, labels, groups = material(200, 20)
    fitted = Inca(least=15, most=60).fit(rows, labels, groups)
    assert 15 <= len(fitted.chosen_) <= 60
    best = fitted.decision_function(rows).argmax(axis=1)
    np.testing.assert_array_equal(fitted.classes_[best], fitted.predict(rows))


def test_one_group_is_refused_in_one_line() -> None:
    rows, labels, _ = material(200, 20)
    network = TspInca(TspIncaParams()).build(StudentShape(3, 1, 200, rows=True))
    with pytest.raises(PluginError, match=r"tsp-inca cannot be fitted: .*over speakers"):
        network.fit(rows, labels, np.zeros(90), seed=0)
