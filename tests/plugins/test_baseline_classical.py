"""The linear SVM is scikit-learn's; the others are what their name says."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from serbench.api import StudentShape
from serbench_baselines.classical import Classical, ClassicalParams
from serbench_baselines.estimators.linear_svm import LinearSvm


def material(width: int, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(width)
    labels = draw.integers(0, classes, 50)
    return draw.normal(size=(50, width)) + 0.3 * draw.normal(size=(classes, width))[labels], labels


@pytest.mark.parametrize("width", [20, 400])
@pytest.mark.parametrize("C", [1e-3, 1.0])
def test_the_svm_is_the_dual_solution_in_any_width(width: int, C: float) -> None:
    rows, labels = material(width)
    ours = LinearSvm(C).fit(rows, labels)
    dual = LinearSVC(C=C, class_weight="balanced", dual=True, tol=1e-9, max_iter=10**6)
    dual.fit(rows, labels)
    np.testing.assert_allclose(ours.coef_, dual.coef_, atol=2e-5)
    np.testing.assert_allclose(ours.intercept_, dual.intercept_, atol=2e-5)
    np.testing.assert_array_equal(ours.predict(rows), dual.predict(rows))


def test_two_classes() -> None:
    rows, labels = material(80, classes=2)
    ours = LinearSvm(0.1).fit(rows, labels + 4)
    assert ours.decision_function(rows).shape == (50,)
    np.testing.assert_array_equal(ours.predict(rows), 4 + (ours.decision_function(rows) > 0))


@pytest.mark.parametrize(("width", "numbers"), [(88, 623), (6373, 44_618)])
def test_size_of_the_svm(width: int, numbers: int) -> None:
    draw = np.random.default_rng(0)
    network = Classical(ClassicalParams()).build(StudentShape(7, 1, width, rows=True))
    network.fit(draw.normal(size=(35, width)), np.arange(35) % 7, np.arange(35) // 7, seed=0)
    assert network.numbers == numbers
