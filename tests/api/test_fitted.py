"""Estimators as modules: pooling, columns of posteriors, what is stored and how it is loaded."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from serbench.api import Estimator, EstimatorParams, PluginError, StoreError, StudentShape
from serbench.api.fitted import FLOOR, EstimatorNetwork, dumps

ROWS = StudentShape(num_classes=4, channels=1, n_mels=6, rows=True)


class Given(Estimator):
    """Any classifier."""

    name = "given"
    Params = EstimatorParams
    make: Any = staticmethod(LogisticRegression)

    def classifier(self) -> Any:
        return self.make()


def network(
    make: Any, shape: StudentShape = ROWS, trusted: tuple[str, ...] = (), **params: object
) -> EstimatorNetwork:
    kind = type("Made", (Given,), {"make": staticmethod(make), "trusted": trusted})
    return kind(EstimatorParams.model_validate(params)).build(shape)


def speech(width: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, labels 0, 2 and 3 of four classes, and three groups."""
    draw = np.random.default_rng(seed)
    labels = np.tile([0, 2, 3], 20)
    rows = (draw.normal(size=(60, width)) + labels[:, None]).astype(np.float32)
    return rows.astype(np.float64), labels, np.arange(60) // 20


def heard(rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(rows).float()[:, None, :, None], torch.ones(len(rows), dtype=torch.long)


@pytest.mark.parametrize(
    "make",
    [
        LinearSVC,
        lambda: SVC(kernel="poly", coef0=1.0, break_ties=True),
        lambda: KNeighborsClassifier(7, algorithm="brute"),
        lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    ],
)
def test_columns_are_labels_and_a_missing_class_is_never_predicted(make: Any) -> None:
    rows, labels, groups = speech()
    model = network(make)
    model.fit(rows, labels, groups, seed=0)
    posteriors = model(*heard(rows)).logits.softmax(dim=1).numpy()
    alone = make().fit(rows, labels)
    assert posteriors.shape == (60, 4)
    np.testing.assert_array_equal(posteriors.argmax(axis=1), alone.predict(rows))
    assert posteriors[:, 1].max() < 2 * FLOOR
    if hasattr(alone, "predict_proba"):
        np.testing.assert_allclose(posteriors[:, [0, 2, 3]], alone.predict_proba(rows), atol=1e-5)
    else:
        scores = np.exp(alone.decision_function(rows))
        expected = scores / scores.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(posteriors[:, [0, 2, 3]], expected, atol=1e-5)


def test_two_classes_have_one_decision_value() -> None:
    rows, labels, groups = speech()
    two = labels < 3
    model = network(LinearSVC)
    model.fit(rows[two], labels[two], groups[two], seed=0)
    found = model.posteriors(rows)
    decision = model.fitted.decision_function(rows)
    np.testing.assert_allclose(found[:, 2], 1 / (1 + np.exp(-decision)), atol=1e-6)
    np.testing.assert_array_equal(found.argmax(axis=1), model.fitted.predict(rows))


def test_pooling_hears_real_frames_only() -> None:
    shape = StudentShape(num_classes=4, channels=2, n_mels=3)
    model = network(LogisticRegression, shape, pool=("std", "mean", "max", "min"))
    draw = np.random.default_rng(1)
    frames = draw.normal(size=(3, 2, 3, 50)) + 5
    lengths = np.array([1, 20, 50])
    padded = frames.copy()
    for row, length in zip(padded, lengths, strict=True):
        row[..., length:] = 1e6
    pooled = model.pool(torch.from_numpy(padded), torch.from_numpy(lengths)).numpy()
    for row, alone, length in zip(pooled, frames, lengths, strict=True):
        real = alone[..., :length].reshape(6, -1)
        expected = [real.std(axis=1), real.mean(axis=1), real.max(axis=1), real.min(axis=1)]
        np.testing.assert_allclose(row, np.concatenate(expected), atol=1e-10)


def test_a_stored_one_comes_back_whole_without_a_pickle() -> None:
    rows, labels, groups = speech()
    model = network(lambda: SVC(break_ties=True))
    model.fit(rows, labels, groups, seed=0)
    state = model.state_dict()
    assert {name: value.dtype for name, value in state.items()} == {"stored": torch.uint8}
    with zipfile.ZipFile(io.BytesIO(state["stored"].numpy().tobytes())) as archive:
        endings = {name.rpartition(".")[2] for name in archive.namelist()}
        assert endings == {"json", "npy"}
        for name in archive.namelist():
            if name.endswith(".npy"):
                np.load(io.BytesIO(archive.read(name)), allow_pickle=False)
    fresh = network(lambda: SVC(break_ties=True))
    with pytest.raises(PluginError, match="was not fitted"):
        fresh(*heard(rows))
    fresh.load_state_dict(state)
    assert torch.equal(fresh(*heard(rows)).logits, model(*heard(rows)).logits)
    assert fresh.numbers == model.numbers > 0


def test_numbers_of_a_linear_classifier() -> None:
    rows, labels, groups = speech()
    model = network(LinearSVC)
    model.fit(rows, labels, groups, seed=0)
    assert model.numbers == 3 * (6 + 1)


def test_the_same_classifier_is_stored_as_the_same_bytes() -> None:
    rows, labels, _ = speech()

    def stored() -> bytes:
        return dumps(make_pipeline(StandardScaler(), SVC()).fit(rows, labels))

    first, kept = stored(), [stored() for _ in range(3)]
    assert kept == [first] * 3


class Stranger(TransformerMixin, BaseEstimator):
    """A step that keeps the groups that it was given."""

    def fit(self, X: Any, y: Any, groups: Any) -> Stranger:
        self.groups_ = np.asarray(groups)
        return self

    def transform(self, X: Any) -> Any:
        return X


def test_groups_reach_a_step_and_only_listed_classes_are_loaded() -> None:
    rows, labels, groups = speech()
    name = f"{Stranger.__module__}.Stranger"

    def make() -> Any:
        return make_pipeline(Stranger(), LogisticRegression())

    with pytest.raises(StoreError, match=name.replace(".", r"\.")):
        network(make).fit(rows, labels, groups, seed=0)
    model = network(make, trusted=(name,))
    model.fit(rows, labels, groups, seed=0)
    np.testing.assert_array_equal(model.fitted[0].groups_, groups)


class Drawn(ClassifierMixin, BaseEstimator):
    """A classifier that keeps its seed."""

    def __init__(self, random_state: int | None = None) -> None:
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Drawn:
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: Any) -> Any:
        return np.full((len(X), len(self.classes_)), np.nan)


def test_an_open_seed_is_set_and_scores_must_be_finite() -> None:
    rows, labels, groups = speech()
    trusted = (f"{Drawn.__module__}.Drawn",)
    open_, fixed = network(Drawn, trusted=trusted), network(lambda: Drawn(3), trusted=trusted)
    for model in (open_, fixed):
        model.fit(rows, labels, groups, seed=2**40 + 5)
    assert (open_.fitted.random_state, fixed.fitted.random_state) == (5, 3)
    with pytest.raises(PluginError, match="finite score"):
        open_.posteriors(rows)


def test_what_cannot_be_fitted_is_told_in_one_line() -> None:
    rows, labels, groups = speech()
    with pytest.raises(PluginError, match=r"given cannot be fitted: .*class"):
        network(LinearSVC).fit(rows, np.zeros(60, np.int64), groups, seed=0)
    rows[3, 2] = np.nan
    with pytest.raises(PluginError, match="not finite"):
        network(LinearSVC).fit(rows, labels, groups, seed=0)


def test_a_damaged_state_is_no_traceback() -> None:
    rows, labels, groups = speech()
    model = network(LinearSVC)
    model.fit(rows, labels, groups, seed=0)
    with pytest.raises(StoreError, match="damaged"):
        network(LinearSVC).load_state_dict({"stored": model.stored[:-40]})
