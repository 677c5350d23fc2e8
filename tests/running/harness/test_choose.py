from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
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


def nested(plan: RunPlan, root: Path, score: Score, patch: pytest.MonkeyPatch) -> Nested:
    """The nested loops with inner fits that only say their score: UA and best epoch."""
    place = resources(root)
    table = load_dataset(plan.dataset, None, place.cache, Observer())
    folds = make_folds(table, "loso", plan.protocol, (), search=True)
    inputs = load_inputs(plan, table, None, place.cache, "cpu", Observer())
    made = Nested(plan, inputs, folds, RunStore(root / "run"), place, Observer())

    def fits(tasks: Mapping[FitPlace, FitTask]) -> dict[FitPlace, KeptFit]:
        done = {}
        for each in tasks:
            ua, epoch = score(each)
            done[each] = KeptFit((), np.zeros((0, 2), np.float32), ua, epoch, (), {})
        return done

    patch.setattr(made, "fit_all", fits)
    return made


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

    chosen = nested(plan, tmp_path, score, monkeypatch).choose()
    found = {(place.seed, place.outer): place.candidate for place, _ in chosen}
    assert found == {(seed, outer): means[outer][0] for seed in (0, 1) for outer in range(4)}
    assert {epochs for _, epochs in chosen} == {None}
    assert {place.inner for place, _ in chosen} == {None}


def test_of_equal_candidates_the_first_is_taken(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = run_plan(folder, method("m", candidate(), candidate()))
    chosen = nested(plan, tmp_path, lambda _: (0.5, 1), monkeypatch).choose()
    assert {place.candidate for place, _ in chosen} == {0}


def test_a_refit_takes_the_mean_best_epoch_of_its_inner_fits(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = candidate(early_stopping=True, epochs=30), candidate(early_stopping=True, epochs=30)
    plan = run_plan(folder, method("m", *both))

    def score(place: FitPlace) -> tuple[float, int]:
        assert place.inner is not None
        won = place.candidate == 1
        return 0.9 if won else 0.1, (3, 10, 12 + place.outer)[place.inner] if won else 30

    chosen = nested(plan, tmp_path, score, monkeypatch).choose()
    assert [epochs for _, epochs in chosen] == [8, 9, 9, 9]  # of 25/3, 26/3, 27/3 and 28/3


def test_inner_folds_can_be_fewer_than_units(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = run_plan(folder, method("m", candidate(), candidate()), inner=2)
    asked: list[FitPlace] = []

    def score(place: FitPlace) -> tuple[float, int]:
        asked.append(place)
        return 0.5, 1

    nested(plan, tmp_path, score, monkeypatch).choose()
    assert {place.inner for place in asked} == {0, 1}
    assert len(asked) == 4 * 2 * 2


def test_only_a_grid_or_early_stopping_needs_inner_folds() -> None:
    assert not searches(method("m"))
    assert searches(method("m", candidate(), candidate()))
    assert searches(method("m", candidate(early_stopping=True)))
