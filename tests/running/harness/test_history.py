from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from tests_support.pretraining import pretrained_plan, write_both
from tests_support.runs import EPOCHS, Watcher, candidate, method, resources, run_plan
from tests_support.tables import write_noise

from serbench.api import EpochEvent, RunEvent
from serbench.files.gc.contents import scan
from serbench.learning.fit import checkpoint
from serbench.running.harness.run import run
from serbench.running.plan.records import MethodPlan, RunPlan
from serbench.running.store.run import RunStore

SPEAKERS = 3


class Historian(Watcher):
    """Remembers epochs that are told again, too."""

    def __init__(self) -> None:
        super().__init__()
        self.again: list[EpochEvent] = []

    def epoch_again(self, event: EpochEvent) -> None:
        self.again.append(event)

    @property
    def fresh(self) -> list[EpochEvent]:
        return [event for event in self.events if isinstance(event, EpochEvent)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history") / "noise"
    write_noise(folder, SPEAKERS, utterances=2)
    return folder


def searching(name: str) -> MethodPlan:
    rates = (0.05, 0.01)
    return method(
        name,
        *(
            candidate({"training.learning_rate": rate}, learning_rate=rate, early_stopping=True)
            for rate in rates
        ),
    )


def watched(plan: RunPlan, root: Path) -> tuple[Historian, RunStore]:
    watch = Historian()
    return watch, RunStore(run(plan, resources(root), watch))


def test_a_run_from_the_cache_tells_every_epoch_again(folder: Path, tmp_path: Path) -> None:
    plan = run_plan(folder, searching("searching"))
    first, _ = watched(plan, tmp_path)
    assert first.again == []
    again, _ = watched(plan, tmp_path)
    assert again.fresh == []
    assert sorted(again.again, key=place) == sorted(
        (replace(event, cached=True) for event in first.fresh), key=place
    )
    assert any(event.validation_ua is not None for event in again.again)


def place(event: EpochEvent) -> tuple[str, int]:
    return event.fit, event.epoch


class Impatient(Historian):
    """Stops the run in the middle of a fit."""

    def epoch(self, event: EpochEvent) -> None:
        super().epoch(event)
        if len(self.fresh) == EPOCHS + 2:
            raise KeyboardInterrupt


def test_a_fit_that_was_stopped_goes_on_after_its_last_epoch(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_S", 0.0)
    plan = run_plan(folder, method("one"))
    _, whole = watched(plan, tmp_path / "whole")
    stopped = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        run(plan, resources(stopped), Impatient())
    begun = stopped / "cache" / "checkpoints"
    (entry,) = [each for each in scan(stopped / "cache").entries if each.kind == "checkpoints"]
    assert [path.stem for path in begun.iterdir()] == [entry.key]
    watch, store = watched(plan, stopped)
    first = next(event.epoch for event in watch.fresh)
    assert first == 3  # of the second fit, whose first two were made before
    assert len(watch.fresh) == (SPEAKERS - 1) * EPOCHS - 2
    assert len(watch.again) == EPOCHS + 2
    assert list(begun.iterdir()) == []
    pd.testing.assert_frame_equal(store.predictions(), whole.predictions())


def test_a_fit_that_two_methods_share_is_told_of_both(folder: Path, tmp_path: Path) -> None:
    plan = run_plan(folder, method("one"), method("two"))
    watch, store = watched(plan, tmp_path)
    assert len({record["key"] for record in store.fits()}) == SPEAKERS
    fresh, again = (
        {event.fit.partition("/")[0] for event in t} for t in (watch.fresh, watch.again)
    )
    assert fresh | again == {"one", "two"}
    assert not fresh & again
    assert len(watch.fresh) == len(watch.again) == SPEAKERS * EPOCHS
    assert {event.cached for event in watch.again} == {True}


def test_epochs_of_a_canary_are_marked_with_its_repeat(folder: Path, tmp_path: Path) -> None:
    plan = replace(run_plan(folder, method("m"), canary=3), canary=run_plan(folder, method("m")))
    first, _ = watched(plan, tmp_path)
    again, _ = watched(plan, tmp_path)
    # Few labels have few permutations: a repeat can be another one's, or the run itself.
    for told in ([*first.fresh, *first.again], again.again):
        counts = {n: sum(event.canary == n for event in told) for n in range(4)}
        assert counts == dict.fromkeys(range(4), SPEAKERS * EPOCHS)


def test_a_run_is_told_with_its_plan_and_at_its_end_with_its_certificate(
    folder: Path, tmp_path: Path
) -> None:
    watch, store = watched(run_plan(folder), tmp_path)
    started, finished = watch.events[0], watch.events[-1]
    assert isinstance(started, RunEvent)
    assert isinstance(finished, RunEvent)
    assert started.plan == finished.plan == store.plan()
    assert started.certificate == ""
    assert finished.certificate == store.read_json("certificate")["digest"]
    assert hash(started) == hash(RunEvent(started.folder, started.digest, started.fits))


def test_a_pretraining_from_the_cache_is_told_again(tmp_path: Path) -> None:
    write_both(tmp_path)
    plan = pretrained_plan(tmp_path, seeds=2)
    first, _ = watched(plan, tmp_path)
    again, _ = watched(plan, tmp_path)
    told = [event for event in again.again if event.fit.endswith("/pretraining")]
    assert told == [
        replace(event, cached=True) for event in first.fresh if event.fit.endswith("/pretraining")
    ]
    assert {event.fit for event in told} == {f"hinted/seed-{n}/pretraining" for n in (0, 1)}
