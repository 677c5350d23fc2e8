"""A fit that was killed goes on from its last epoch with the same bits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests_support.pretraining import Heir, HeirParams
from tests_support.runs import candidate, fit_task, frames_of
from tests_support.tables import noise_table
from torch import nn

from serbench.api import Batch, EpochEvent, Loss, LossShape, LossTerms, Params, StudentOutput
from serbench.learning.fit import checkpoint
from serbench.learning.fit.loop import fit
from serbench.learning.fit.task import FitTask
from serbench.protocol.splits.inner import inner_splits
from serbench.protocol.splits.outer import outer_splits

EPOCHS = 6


class Reading(nn.Module):
    """Draws in each step, as dropout does, and notes what it read."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.readings: dict[str, torch.Tensor] = {}

    def forward(self, batch: Batch, output: StudentOutput) -> LossTerms:
        self.readings = {"top": output.logits.detach().amax(dim=1)}
        ce = nn.functional.cross_entropy(output.logits * self.scale, batch.labels)
        return {"total": ce * (0.5 + torch.rand(()))}


class Noisy(Loss):
    name = "noisy"
    Params = Params

    def build(self, shape: LossShape) -> nn.Module:
        return Reading()


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> FitTask:
    """An inner fit with all that a fit can have: masks, averages, early stopping, a probe."""
    root = tmp_path_factory.mktemp("checkpoint")
    table = noise_table(root / "noise", speakers=4, utterances=3)
    folds = outer_splits(table, "loso", 5)
    inner = inner_splits(table, folds, 0, "units")[0]
    settings = {"average": 0.5, "early_stopping": True, "patience": 9, "probe": True}
    chosen = candidate(loss=Noisy(Params()), epochs=EPOCHS, batch_size=2, **settings)
    return fit_task(table, inner, frames_of(table, root / "features"), chosen)


def silent(_: EpochEvent) -> None:
    pass


class KilledError(Exception):
    pass


def killed(task: FitTask, after: int) -> None:
    def kill(event: EpochEvent) -> None:
        if event.epoch == after:
            raise KilledError

    with pytest.raises(KilledError):
        fit(task, kill)
    torch.manual_seed(99)  # another process begins elsewhere


def fresh(task: FitTask, **changes: object) -> FitTask:
    """With nothing noted on its training side yet, as another process is given it."""
    view = type(task.train).__new__(type(task.train))
    for name in type(task.train).__slots__:
        setattr(view, name, getattr(task.train, name))
    view._fitted = []  # pyright: ignore[reportPrivateUsage]
    return replace(task, train=view, **changes)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("after", [1, 4, EPOCHS])
def test_it_gives_the_same_bits(
    task: FitTask, after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_S", 0.0)
    whole = fit(fresh(task), silent)
    path = tmp_path / "begun" / "fit.pt"
    killed(fresh(task, checkpoint=path), after)
    heard: list[EpochEvent] = []
    result = fit(fresh(task, checkpoint=path), heard.append)
    told = [(event.epoch, event.cached, event.seconds is None) for event in heard]
    assert told == [(n, n <= after, n <= after) for n in range(1, EPOCHS + 1)]
    np.testing.assert_array_equal(result.posteriors, whole.posteriors)
    assert result.history == whole.history
    assert result.best_epoch == whole.best_epoch
    assert result.fitted == whole.fitted
    np.testing.assert_array_equal(result.readings["top"], whole.readings["top"])
    assert all(torch.equal(result.state[name], whole.state[name]) for name in whole.state)
    assert result.step_seconds > 0.0


def test_one_that_had_waited_long_enough_ends_where_it_was(
    task: FitTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the epoch that early stopping ends with, before it was kept."""
    monkeypatch.setattr(checkpoint, "EVERY_S", 0.0)
    training = task.settings.training.model_copy(update={"patience": 1, "epochs": 40})
    settings = task.settings.model_copy(update={"training": training})
    waiting = replace(task, settings=settings, epochs=40)
    whole = fit(fresh(waiting), silent)
    assert len(whole.history) < 40
    path = tmp_path / "fit.pt"
    killed(fresh(waiting, checkpoint=path), len(whole.history))
    assert fit(fresh(waiting, checkpoint=path), silent).history == whole.history


def test_what_was_inherited_is_not_loaded_again_but_noted(
    task: FitTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_S", 0.0)
    heir = replace(task, student=Heir(HeirParams()))
    training = task.settings.training.model_copy(update={"probe": False})
    heir = replace(heir, settings=task.settings.model_copy(update={"training": training}))
    whole = fit(fresh(heir), silent)
    path = tmp_path / "fit.pt"
    killed(fresh(heir, checkpoint=path), 2)
    result = fit(fresh(heir, checkpoint=path), silent)
    np.testing.assert_array_equal(result.posteriors, whole.posteriors)
    assert result.fitted == whole.fitted
    assert f"inheritance of {task.method}" in {record.what for record in result.fitted}


def test_short_fits_write_nothing(task: FitTask, tmp_path: Path) -> None:
    fit(fresh(task, checkpoint=tmp_path / "fit.pt"), silent)
    assert not (tmp_path / "fit.pt").exists()
