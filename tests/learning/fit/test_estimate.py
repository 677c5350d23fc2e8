"""A fit of an estimator: on the training side alone, as NumPy and scikit-learn would by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from tests_support.runs import candidate, fit_task, frames_of
from tests_support.tables import noise_table

from serbench.api import EpochEvent, Estimator, EstimatorParams, LeakageError
from serbench.data.corpus.table import CorpusTable
from serbench.learning.evaluate import score
from serbench.learning.features import Frames, Normaliser
from serbench.learning.fit.estimate import fit_student
from serbench.learning.fit.task import FitResult, FitTask
from serbench.protocol.splits.inner import inner_splits
from serbench.protocol.splits.outer import outer_splits
from serbench.protocol.splits.records import Split


class Regression(Estimator):
    """Logistic regression, which keeps the groups that it is given."""

    name = "regression"
    Params = EstimatorParams
    trusted = (f"{__name__}.Keeper",)

    def classifier(self) -> Any:
        return make_pipeline(Keeper(), LogisticRegression(C=0.1))


class Keeper(TransformerMixin, BaseEstimator):
    groups: list[list[str]] = []  # noqa: RUF012 - what all of them were given

    def fit(self, X: Any, y: Any, groups: Any) -> Keeper:
        self.groups.append(list(groups))
        return self

    def transform(self, X: Any) -> Any:
        return X


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> CorpusTable:
    return noise_table(tmp_path_factory.mktemp("estimate") / "noise", speakers=3, utterances=4)


@pytest.fixture(scope="module")
def frames(table: CorpusTable) -> Frames:
    """Without deltas."""
    return replace(frames_of(table, table.folder.parent / "features"), channels=1)


@pytest.fixture(scope="module")
def outer(table: CorpusTable) -> Split:
    return outer_splits(table, "loso", 5)[0]


@pytest.fixture(scope="module")
def inner(table: CorpusTable) -> Split:
    return inner_splits(table, outer_splits(table, "loso", 5), 0, "units")[0]


def task_of(table: CorpusTable, split: Split, frames: Frames, **params: Any) -> FitTask:
    student = Regression(EstimatorParams.model_validate(params))
    return fit_task(table, split, frames, candidate(student=student))


def fitted(task: FitTask) -> FitResult:
    events: list[EpochEvent] = []
    result = fit_student(task, events.append)
    assert events == []
    return result


def rows_of(
    frames: Frames, ids: tuple[str, ...], mean: np.ndarray, deviation: np.ndarray
) -> np.ndarray:
    rows = []
    for utterance in ids:
        n = frames.ids.index(utterance)
        values = frames.values[frames.start[n] : frames.start[n] + frames.count[n]]
        whole = (values.astype(np.float64) - mean) / deviation
        rows.append(np.concatenate([whole.mean(axis=0), whole.std(axis=0)]))
    return np.stack(rows)


def test_it_is_what_can_be_computed_by_hand(
    table: CorpusTable, frames: Frames, inner: Split
) -> None:
    task = task_of(table, inner, frames)
    result = fitted(task)
    own = [frames.ids.index(i) for i in inner.train.ids]
    values = np.concatenate(
        [frames.values[frames.start[n] : frames.start[n] + frames.count[n]] for n in own]
    ).astype(np.float64)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    by_hand = LogisticRegression(C=0.1).fit(
        rows_of(frames, inner.train.ids, mean, deviation), task.train.labels
    )
    test = rows_of(frames, result.ids, mean, deviation)
    np.testing.assert_allclose(result.posteriors, by_hand.predict_proba(test), atol=1e-4)
    assert task.validation is not None
    labels = task.validation.label_of(result.ids)
    assert result.validation_ua == score(labels, by_hand.predict(test), 2).ua
    assert result.parameters == 80 + 1
    assert (result.history, result.best_epoch, result.flops) == ((), 0, 0)
    assert {name: value.dtype for name, value in result.state.items()} == {
        "stored": torch.uint8, "normaliser.mean": torch.float32,
        "normaliser.deviation": torch.float32,
    }  # fmt: skip


def test_what_was_fitted_is_noted_and_groups_are_speakers(
    table: CorpusTable, frames: Frames, outer: Split
) -> None:
    Keeper.groups.clear()
    result = fitted(task_of(table, outer, frames))
    assert [record.what for record in result.fitted] == ["student of plain", "normaliser"]
    assert {record.partition for record in result.fitted} == {outer.train.name}
    assert Keeper.groups == [[table.by_id[i].speaker for i in outer.train.ids]]


def test_a_validation_side_can_never_be_fitted_on(
    table: CorpusTable, frames: Frames, inner: Split
) -> None:
    with pytest.raises(LeakageError, match="L6"):
        fitted(task_of(table, Split(inner.name, inner.test, inner.train), frames))


def test_the_normaliser_of_a_broken_protocol_is_taken(
    table: CorpusTable, frames: Frames, outer: Split
) -> None:
    other = Normaliser(torch.full((40,), 3.0), torch.full((40,), 7.0))
    task = replace(task_of(table, outer, frames), normaliser=other)
    result = fitted(task)
    by_hand = LogisticRegression(C=0.1).fit(
        rows_of(frames, outer.train.ids, np.array(3.0), np.array(7.0)), task.train.labels
    )
    test = rows_of(frames, result.ids, np.array(3.0), np.array(7.0))
    np.testing.assert_allclose(result.posteriors, by_hand.predict_proba(test), atol=1e-4)
