from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from serbench.errors import SerbenchError
from serbench.results.compare.calibration import reliability


def made(seed: int, rows: int = 400, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    posteriors = random.dirichlet(np.full(classes, 0.6), rows)
    return posteriors, random.integers(0, classes, rows)


def test_the_curve_is_scikit_learns() -> None:
    posteriors, labels = made(0)
    found = reliability(posteriors, labels, bins=10)
    right = posteriors.argmax(axis=1) == labels
    accuracy, confidence = calibration_curve(right, posteriors.max(axis=1), n_bins=10)
    held = found.count > 0
    np.testing.assert_allclose(found.accuracy[held], accuracy)
    np.testing.assert_allclose(found.confidence[held], confidence)
    assert found.count.sum() == len(labels)


def test_ece_by_hand() -> None:
    # Bin (0.5, 0.6]: confidences 0.6 and 0.52, one of two right; bin (0.9, 1]: 0.95, right.
    posteriors = [[0.6, 0.4], [0.48, 0.52], [0.95, 0.05]]
    found = reliability(posteriors, [0, 0, 0], bins=10)
    assert found.ece == pytest.approx((2 * abs(0.5 - 0.56) + abs(1 - 0.95)) / 3)
    assert found.overconfidence == pytest.approx((0.6 + 0.52 + 0.95) / 3 - 2 / 3)
    assert found.brier == pytest.approx((0.32 + 2 * 0.52**2 + 2 * 0.05**2) / 3)
    assert np.isnan(found.accuracy[0])


def test_posteriors_that_say_the_truth_are_calibrated() -> None:
    random = np.random.default_rng(3)
    posteriors = random.dirichlet(np.ones(3), 40_000)
    labels = (random.random(40_000)[:, None] > posteriors.cumsum(axis=1)).sum(axis=1)
    labels = np.minimum(labels, 2)
    found = reliability(posteriors, labels)
    assert found.ece < 0.01
    assert abs(found.overconfidence) < 0.01
    sharpened = posteriors**3 / (posteriors**3).sum(axis=1, keepdims=True)
    assert reliability(sharpened, labels).overconfidence > 0.1


@given(st.integers(0, 2**31), st.integers(1, 30))
@settings(max_examples=30)
def test_every_prediction_is_in_one_bin(seed: int, bins: int) -> None:
    posteriors, labels = made(seed, rows=50)
    found = reliability(posteriors, labels, bins)
    assert found.count.sum() == 50
    assert 0 <= found.ece <= 1
    total = np.nansum(found.confidence * found.count) / 50
    assert total == pytest.approx(posteriors.max(axis=1).mean())
    held = found.count > 0
    assert (found.confidence[held] <= found.edges[1:][held] + 1e-12).all()
    assert (found.confidence[held] >= found.edges[:-1][held] - 1e-12).all()


def test_a_sure_prediction_is_in_the_last_bin() -> None:
    assert reliability([[1.0, 0.0]], [0], bins=5).count.tolist() == [0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("posteriors", "labels", "bins"),
    [
        (np.zeros((0, 3)), [], 10),
        ([[0.5, 0.5]], [0, 1], 10),
        ([0.5, 0.5], [0, 1], 10),
        ([[0.5, 0.5]], [0], 0),
        ([[1.5, -0.5]], [0], 10),
        ([[np.nan, 0.5]], [0], 10),
    ],
)
def test_what_cannot_be_calibrated_is_told(posteriors: object, labels: object, bins: int) -> None:
    with pytest.raises(SerbenchError):
        reliability(posteriors, labels, bins)  # type: ignore[arg-type]
