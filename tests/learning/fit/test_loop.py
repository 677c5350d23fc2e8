from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests_support.front_ends import front_end
from tests_support.runs import candidate, fit_task, frames_of
from tests_support.tables import noise_table
from torch import Tensor, nn

from serbench.api import (
    Batch,
    EpochEvent,
    LeakageError,
    Loss,
    LossShape,
    LossTerms,
    Params,
    SerbenchError,
)
from serbench.data.corpus.table import CorpusTable
from serbench.learning.extract import speech_frames
from serbench.learning.features import Frames
from serbench.learning.fit import loop
from serbench.learning.fit.loop import fit
from serbench.learning.fit.optimise import Optimisation
from serbench.learning.fit.task import FitResult
from serbench.protocol.splits.inner import inner_splits
from serbench.protocol.splits.outer import outer_splits
from serbench.protocol.splits.records import Split


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> CorpusTable:
    return noise_table(tmp_path_factory.mktemp("loop") / "noise", speakers=3, utterances=3)


@pytest.fixture(scope="module")
def frames(table: CorpusTable) -> Frames:
    return frames_of(table, table.folder.parent / "features")


@pytest.fixture(scope="module")
def outer(table: CorpusTable) -> Split:
    return outer_splits(table, "loso", 5)[0]


@pytest.fixture(scope="module")
def inner(table: CorpusTable) -> Split:
    folds = outer_splits(table, "loso", 5)
    return inner_splits(table, folds, 0, "units")[0]


def silent(_: EpochEvent) -> None:
    pass


def test_it_learns_and_scores_the_validation_side(
    table: CorpusTable, frames: Frames, inner: Split
) -> None:
    heard: list[EpochEvent] = []
    task = fit_task(table, inner, frames, candidate(epochs=8))
    result = fit(task, heard.append)
    assert result.validation_ua == 1.0
    assert result.ids == inner.test.ids
    np.testing.assert_allclose(result.posteriors.sum(axis=1), 1.0, rtol=1e-5)
    losses = [record.terms["total"] for record in result.history]
    assert losses[-1] < losses[0]
    assert [(e.fit, e.epoch, e.epochs) for e in heard] == [(task.name, n, 8) for n in range(1, 9)]
    assert [e.terms for e in heard] == [r.terms for r in result.history]
    assert result.best_epoch == 8
    assert result.parameters == 120 * 2 + 2
    assert 0.0 < result.step_seconds < result.seconds
    assert {"classify.weight", "normaliser.mean", "normaliser.deviation"} <= set(result.state)


def test_what_was_fitted_is_noted_on_the_training_side(
    table: CorpusTable, frames: Frames, outer: Split
) -> None:
    result = fit(fit_task(table, outer, frames), silent)
    assert [record.what for record in result.fitted] == ["student of plain", "normaliser"]
    assert {record.partition for record in result.fitted} == {outer.train.name}
    assert {record.utterances for record in result.fitted} == {len(outer.train.ids)}
    assert result.validation_ua is None


def test_the_normaliser_knows_the_training_side_alone(
    table: CorpusTable, frames: Frames, outer: Split
) -> None:
    result = fit(fit_task(table, outer, frames), silent)
    rows = [
        frames.values[frames.start[n] : frames.start[n] + frames.count[n]]
        for n, utterance in enumerate(frames.ids)
        if utterance in outer.train.ids
    ]
    values = np.concatenate(rows).astype(np.float64)
    np.testing.assert_allclose(result.state["normaliser.mean"], values.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(result.state["normaliser.deviation"], values.std(axis=0), rtol=1e-4)


def test_a_seed_decides_everything(table: CorpusTable, frames: Frames, outer: Split) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, again, other = (
        fit(fit_task(table, outer, frames, seed=seed), silent) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.posteriors, again.posteriors)
    weight = "classify.weight"
    assert not torch.allclose(one.state[weight], other.state[weight], atol=1e-3)
    assert torch.equal(torch.get_rng_state(), before)  # the caller's draws are left alone


def test_a_validation_side_can_never_be_trained_on(
    table: CorpusTable, frames: Frames, inner: Split
) -> None:
    swapped = Split(inner.name, inner.test, inner.train)
    with pytest.raises(LeakageError, match="L6"):
        fit(fit_task(table, swapped, frames), silent)


class Scripted(Loss):
    """Pulls all logits towards class 1, whatever the labels say."""

    name = "scripted"
    Params = Params

    def build(self, shape: LossShape) -> nn.Module:
        return ScriptedLoss()


class ScriptedLoss(nn.Module):
    def forward(self, batch: Batch, output: object) -> LossTerms:
        logits: Tensor = output.logits  # pyright: ignore[reportAttributeAccessIssue]
        return {"total": (logits[:, 0] - logits[:, 1]).mean()}


def stopped(
    table: CorpusTable,
    frames: Frames,
    split: Split,
    uas: list[float],
    patch: pytest.MonkeyPatch,
    patience: int = 2,
) -> FitResult:
    """A fit whose UA after each epoch is scripted."""
    given = iter(uas)

    class Told:
        ua = 0.0

    def score(*_: object) -> Told:
        told = Told()
        told.ua = next(given, -1.0)
        return told

    patch.setattr(loop, "score", score)
    chosen = candidate(epochs=8, early_stopping=True, patience=patience, loss=Scripted(Params()))
    return fit(fit_task(table, split, frames, chosen), silent)


def test_early_stopping_ends_after_patience_and_keeps_the_best_weights(
    table: CorpusTable, frames: Frames, inner: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    uas = [0.3, 0.6, 0.6, 0.5, 0.9]
    result = stopped(table, frames, inner, uas, monkeypatch)
    assert len(result.history) == 4
    assert [record.validation_ua for record in result.history] == uas[:4]
    assert result.best_epoch == 2
    short = fit_task(
        table, inner, frames, candidate(epochs=8, early_stopping=True, loss=Scripted(Params()))
    )
    kept = stopped(table, frames, inner, [0.3, 0.6, *[0.1] * 6], monkeypatch, patience=6)
    assert kept.best_epoch == 2
    assert len(kept.history) == 8
    # The weights of epoch 2, not of the last: both stops give the same ones.
    torch.testing.assert_close(kept.state["classify.weight"], result.state["classify.weight"])
    np.testing.assert_array_equal(kept.posteriors, result.posteriors)
    monkeypatch.setattr(loop, "score", lambda *_: type("S", (), {"ua": 0.5})())
    last = fit(short, silent)
    assert last.best_epoch == 1  # the first of equals


def test_a_refit_does_not_stop_early(table: CorpusTable, frames: Frames, outer: Split) -> None:
    chosen = candidate(epochs=4, early_stopping=True, patience=1)
    result = fit(fit_task(table, outer, frames, chosen), silent)
    assert len(result.history) == result.best_epoch == 4


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_a_refit_repeats_the_first_epochs_of_an_inner_fit(
    table: CorpusTable,
    frames: Frames,
    inner: Split,
    monkeypatch: pytest.MonkeyPatch,
    schedule: str,
) -> None:
    """Rates step by step: warm-up and cosine are those of ``training.epochs``."""
    rates: list[float] = []
    step = Optimisation.step

    def noted(
        self: Optimisation, batch: Batch, place: int, size: int, unlabelled: Batch | None
    ) -> LossTerms:
        rates.append(self.optimizer.param_groups[0]["lr"])
        return step(self, batch, place, size, unlabelled)

    monkeypatch.setattr(Optimisation, "step", noted)
    chosen = candidate(epochs=8, batch_size=2, schedule=schedule, warmup=0.25, average=0.9)
    task = fit_task(table, inner, frames, chosen)
    whole = fit(task, silent)
    longer, rates = rates, []
    refit = fit(replace(task, epochs=3, validation=None), silent)
    assert len(longer) == 8 * 3
    assert rates == longer[: 3 * 3]
    assert rates[0] < rates[5] == max(longer)
    assert refit.history == whole.history[:3]
    assert refit.best_epoch == 3


def test_the_average_of_a_refit_begins_where_an_inner_fits_does(
    table: CorpusTable, frames: Frames, outer: Split
) -> None:
    states = {}
    for average in (0.0, 0.5):
        task = fit_task(table, outer, frames, candidate(epochs=8, average=average))
        for epochs in (3, 5):
            state = fit(replace(task, epochs=epochs), silent).state
            states[average, epochs] = state["classify.weight"]
    assert torch.equal(states[0.0, 3], states[0.5, 3])  # from epoch 4 on
    assert not torch.allclose(states[0.0, 5], states[0.5, 5], atol=1e-4)


def test_averaged_weights_lie_between_those_of_the_epochs(
    table: CorpusTable, frames: Frames, outer: Split
) -> None:
    weights = {}
    for epochs, average in ((1, 0.0), (2, 0.0), (2, 0.75)):
        chosen = candidate(epochs=epochs, average=average, schedule="constant", warmup=0.0)
        state = fit(fit_task(table, outer, frames, chosen), silent).state
        weights[epochs, average] = state["classify.weight"]
    expected = 0.75 * weights[1, 0.0] + 0.25 * weights[2, 0.0]
    torch.testing.assert_close(weights[2, 0.75], expected)


class Exploding(Loss):
    name = "exploding"
    Params = Params

    def build(self, shape: LossShape) -> nn.Module:
        class Module(nn.Module):
            def forward(self, batch: Batch, output: object) -> LossTerms:
                logits: Tensor = output.logits  # pyright: ignore[reportAttributeAccessIssue]
                return {"total": logits.sum() * math.inf}

        return Module()


def test_a_loss_that_is_not_finite_is_told_with_a_way_out(
    table: CorpusTable, frames: Frames, outer: Split
) -> None:
    task = fit_task(table, outer, frames, candidate(loss=Exploding(Params())))
    with pytest.raises(SerbenchError, match=r"plain/seed-0/outer-1: .*epoch 1.*learning_rate"):
        fit(task, silent)


def test_a_loss_is_told_how_often_each_label_occurs_in_training(
    table: CorpusTable, frames: Frames, inner: Split
) -> None:
    shapes: list[LossShape] = []

    class Curious(Loss):
        name = "curious"
        Params = Params

        def build(self, shape: LossShape) -> nn.Module:
            shapes.append(shape)
            return ScriptedLoss()

    task = fit_task(table, inner, frames, candidate(epochs=1, loss=Curious(Params())))
    fit(task, silent)
    labels = task.train.labels.tolist()
    assert [each.label_counts for each in shapes] == [(labels.count(0), labels.count(1))]
    assert sum(shapes[0].label_counts) == len(inner.train.ids)


@pytest.mark.parametrize("kind", ["whisper", "waveform"])
def test_a_student_of_other_frames_is_trained_on_them_as_they_are(
    table: CorpusTable, outer: Split, tmp_path: Path, kind: str
) -> None:
    heard = front_end(kind)
    frames = speech_frames(table, heard, tmp_path, lambda *_: None)
    task = fit_task(table, outer, frames, candidate(front_end=heard))
    result = fit(task, lambda _: None)
    assert "normaliser" in {record.what for record in result.fitted}
    assert torch.equal(result.state["normaliser.mean"], torch.zeros(heard.width))
    assert torch.equal(result.state["normaliser.deviation"], torch.ones(heard.width))
    assert result.state["classify.weight"].shape == (2, heard.width)
    assert result.flops == 2 * 2 * heard.width
