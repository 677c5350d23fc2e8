from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests_support.runs import candidate, method, resources, run_plan
from tests_support.tables import write_noise

from serbench.learning.fit.task import FitTask
from serbench.running.harness.folds import make_folds
from serbench.running.harness.inputs import load_dataset, load_inputs
from serbench.running.harness.nested import Nested, searches
from serbench.running.harness.observer import Observer
from serbench.running.harness.results import KeptFit
from serbench.running.harness.tasks import FitPlace
from serbench.running.plan.records import RunPlan
from serbench.running.store.run import RunStore

Score = Callable[[FitPlace], tuple[float, int]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("choose") / "noise"
    write_noise(folder, speakers=4, utterances=2)
    return folder


def chosen(
    plan: RunPlan, root: Path, score: Score, patch: pytest.MonkeyPatch
) -> list[tuple[FitPlace, int | None]]:
    """The refits of nested loops whose inner fits, as if cached, only say UA and best epoch."""
    place = resources(root)
    table = load_dataset(plan.dataset, None, place.cache, Observer())
    folds = make_folds(table, "loso", plan.protocol, (), search=True)
    inputs = load_inputs(plan, table, None, place.cache, "cpu", Observer())
    made = Nested(plan, inputs, folds, RunStore(root / "run"), place, Observer())
    asked: list[FitPlace] = []

    def kept(each: FitPlace, _: FitTask) -> KeptFit:
        asked.append(each)
        ua, epoch = (None, 0) if each.inner is None else score(each)
        return KeptFit((), np.zeros((0, 2), np.float32), ua, epoch, (), {"history": ()})

    def scored(*_: object) -> pd.DataFrame:
        assert len([each for each in asked if each.inner is None]) == len(made.choices)
        return pd.DataFrame()

    patch.setattr(made, "_kept", kept)
    patch.setattr(made, "_score", scored)
    assert len(made.fit()) == len(made.choices)
    return [refit for choice in made.choices if (refit := choice.refit)]


def test_the_best_mean_inner_ua_wins_in_each_outer_fold(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = run_plan(folder, method("m", candidate(), candidate(), candidate()), seeds=2)
    means = {0: (1, 2), 1: (0, 1), 2: (2, 0), 3: (0, 2)}  # outer fold: (best, second best)

    def score(place: FitPlace) -> tuple[float, int]:
        assert place.inner is not None
        best, second = means[place.outer]
        if place.candidate == best:
            return (0.2, 0.9, 0.9)[place.inner], 1  # mean 0.667, not the best everywhere
        return ((0.6, 0.6, 0.6) if place.candidate == second else (1.0, 0.1, 0.1))[place.inner], 1

    refits = chosen(plan, tmp_path, score, monkeypatch)
    found = {(place.seed, place.outer): place.candidate for place, _ in refits}
    assert found == {(seed, outer): means[outer][0] for seed in (0, 1) for outer in range(4)}
    assert {epochs for _, epochs in refits} == {None}
    assert {place.inner for place, _ in refits} == {None}


def test_of_equal_candidates_the_first_is_taken(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = run_plan(folder, method("m", candidate(), candidate()))
    refits = chosen(plan, tmp_path, lambda _: (0.5, 1), monkeypatch)
    assert {place.candidate for place, _ in refits} == {0}


def test_a_refit_takes_the_mean_best_epoch_of_its_inner_fits(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = candidate(early_stopping=True, epochs=30), candidate(early_stopping=True, epochs=30)
    plan = run_plan(folder, method("m", *both))

    def score(place: FitPlace) -> tuple[float, int]:
        assert place.inner is not None
        won = place.candidate == 1
        return 0.9 if won else 0.1, (3, 10, 12 + place.outer)[place.inner] if won else 30

    refits = chosen(plan, tmp_path, score, monkeypatch)
    assert [epochs for _, epochs in refits] == [8, 9, 9, 9]  # of 25/3, 26/3, 27/3 and 28/3


def test_inner_folds_can_be_fewer_than_units(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = run_plan(folder, method("m", candidate(), candidate()), inner=2)
    asked: list[FitPlace] = []

    def score(place: FitPlace) -> tuple[float, int]:
        asked.append(place)
        return 0.5, 1

    chosen(plan, tmp_path, score, monkeypatch)
    assert {place.inner for place in asked} == {0, 1}
    assert len(asked) == 4 * 2 * 2


def test_only_a_grid_or_early_stopping_needs_inner_folds() -> None:
    assert not searches(method("m"))
    assert searches(method("m", candidate(), candidate()))
    assert searches(method("m", candidate(early_stopping=True)))
