"""A run on a corpus whose own split has two test sets."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score
from tests_support.runs import LinearStudent, Watcher, method, resources, run_plan
from tests_support.tables import Noise, write_noise

from serbench import Run
from serbench.api import FoldEvent, Params, PluginError, UtteranceRecord
from serbench.checks.verify.run import verify
from serbench.results.report.build import make_tables
from serbench.results.report.comparison import shown_comparison
from serbench.results.report.results import Results, load_results
from serbench.results.report.write import write_report
from serbench.running.harness.observer import Observer
from serbench.running.harness.run import run
from serbench.running.plan.dataset import DatasetPlan, PlannedCorpus
from serbench.running.replay.run import Replay
from serbench.running.store.run import RunStore
from serbench_backends.torch import TorchBackend
from serbench_baselines.ce import CrossEntropy
from serbench_front_ends.log_mel import LogMel

SIDES = {
    "s0": "train", "s1": "train", "s2": "test", "s3": "test", "s4": "test2", "s5": "test2",
    "s6": "test2",
}  # fmt: skip


class Sided(Noise):
    name = "sided"

    def utterances(self, folder: Path) -> Iterable[UtteranceRecord]:
        for record in super().utterances(folder):
            yield replace(record, official=SIDES[record.speaker])


class Installed:
    """Stands for the installed plugins."""

    def get(self, kind: str, name: str) -> Any:
        known = {
            "sided": Sided,
            "linear": LinearStudent,
            "ce": CrossEntropy,
            "torch": TorchBackend,
            "log-mel": LogMel,
        }
        if name not in known:
            raise PluginError(f"there is no {name} among {kind}")
        return known[name]


WATCH = Watcher()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sets")
    write_noise(root / "noise", speakers=7, utterances=3)
    plan = run_plan(root / "noise", method("one"), method("two"))
    corpus = plan.dataset.evaluated
    spec = corpus.spec.model_copy(update={"corpus": "sided", "folds": "official"})
    sided = PlannedCorpus(corpus.name, spec, Sided(Params()))
    plan = replace(plan, dataset=DatasetPlan(sided), folds="official")
    made = run(plan, resources(root, folder=root / "run"), WATCH)
    write_report([made], made)
    return made


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return load_results([folder])


def ua(predictions: pd.DataFrame, method: str, test_set: str) -> float:
    rows = predictions.query(f"method == {method!r} and test_set == {test_set!r}")
    return float(recall_score(rows["label"], rows["predicted"], average="macro"))


def test_the_students_are_trained_once_and_the_labels_read_once(folder: Path) -> None:
    fits = RunStore(folder).fits()
    assert [(fit["method"], fit["outer"], fit["inner"]) for fit in fits] == [
        ("one", 1, None), ("two", 1, None)
    ]  # fmt: skip


def test_headline_and_other_sets_are_scored_from_their_own_rows(
    folder: Path, results: Results
) -> None:
    stored = RunStore(folder).predictions()
    assert stored.groupby("test_set")["speaker"].unique().map(sorted).to_dict() == {
        "test": ["s2", "s3"], "test2": ["s4", "s5", "s6"]
    }  # fmt: skip
    assert list(results.test_sets) == ["test", "test2"]
    for name, compared in results.test_sets.items():
        for found in compared.methods:
            assert found.pooled["ua"].value == pytest.approx(ua(stored, found.method, name))
    assert results.comparison is results.test_sets["test"]
    assert set(results.predictions["speaker"]) == {"s2", "s3"}
    told = [event for event in WATCH.events if isinstance(event, FoldEvent)]
    assert told[0].ua == pytest.approx(ua(stored, told[0].method, "test"))


def test_tables_tell_which_set_they_are_about(folder: Path, results: Results) -> None:
    tables = make_tables(results).shared
    table = tables["test-sets"]
    assert [part.heading for part in table.sections] == [
        "test, 12 utterances of 2 speakers",
        "test2, 18 utterances of 3 speakers",
    ]
    assert [record["test_set"] for record in table.records] == ["test", "test", "test2", "test2"]
    assert tables["folds"].records[0]["test_units"] == "s2, s3"
    shown = shown_comparison(results)
    assert shown.caption.startswith("noise: 12 utterances of test set “test”, 2 speakers")
    assert shown.notes[0].startswith("On test set test2 (18 utterances), UA is ")
    assert "## Test sets" in (folder / "report.md").read_text()
    assert "| outer-1 | test2 | s4, s5, s6 | 18 |" in (folder / "certificate.md").read_text()
    every = pd.read_csv(folder / "tables" / "predictions.csv")
    assert every.groupby("test_set").size().to_dict() == {"test": 24, "test2": 36}
    assert len(Run(folder).predictions()) == 24
    by_set = Run(folder).scores(by="test_set")
    assert list(by_set["utterances"]) == [12, 12, 18, 18]
    assert list(by_set["ua"]) == [
        r.pooled["ua"].value for s in results.test_sets.values() for r in s.methods
    ]


def opened(folder: Path) -> Replay:
    return Replay.open(
        folder,
        SimpleNamespace(datasets={}, teachers={}),  # pyright: ignore[reportArgumentType]
        Installed(),  # pyright: ignore[reportArgumentType]
        data_dir=folder.parent / "noise",
        cache=folder.parent / "cache",
        watch=Observer(),
    )


def test_studies_replay_the_headline(folder: Path) -> None:
    replay = opened(folder)
    (student, *_) = replay.students
    frames = replay.frames(student.candidate.front_end)
    ids, posteriors = replay.predict_kept(student, frames, replay.segments(student))
    assert {i.split("_")[0] for i in ids} == {"s2", "s3"}
    assert replay.check_same(student, ids, posteriors) <= 1e-6
    assert replay.folds.digest != replay.plan["folds_digest"]  # of all sets


def outcomes(folder: Path, root: Path) -> dict[str, str]:
    found = verify(
        folder,
        SimpleNamespace(datasets={}, teachers={}),  # pyright: ignore[reportArgumentType]
        Installed(),  # pyright: ignore[reportArgumentType]
        data_dir=root / "noise",
        cache=root / "cache",
        watch=Observer(),
    )
    return {each.check: each.outcome for each in found.found}


def test_verify_passes_and_tells_of_rows_that_changed_their_set(
    folder: Path, tmp_path: Path
) -> None:
    assert set(outcomes(folder, folder.parent).values()) == {"passed"}
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    rows = pd.read_parquet(copy / "predictions.parquet")
    hard = np.flatnonzero(rows["test_set"] == "test")[:2]
    rows.loc[hard, "test_set"] = "test2"
    rows.to_parquet(copy / "predictions.parquet", index=False)
    found = outcomes(copy, folder.parent)
    assert found["predictions"] == "failed"
