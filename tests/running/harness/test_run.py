from __future__ import annotations

import importlib
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from tests_support.runs import EPOCHS, Watcher, candidate, method, resources, run_plan
from tests_support.tables import LABELS, write_noise

from serbench.api import EpochEvent, FoldEvent, LeakageError, RunEvent, StoreError
from serbench.data.corpus.table import CorpusTable
from serbench.learning.fit.task import FitResult
from serbench.learning.segments import Cutting, Segment
from serbench.protocol.guard.certificate import Certificate
from serbench.protocol.splits.records import Partition
from serbench.running.harness.run import run
from serbench.running.plan.dataset import DatasetPlan
from serbench.running.plan.records import MethodPlan, RunPlan
from serbench.running.store.run import RunStore
from serbench.running.store.tables import PREDICTION_COLUMNS
from serbench_baselines.kd import Distillation, DistillationParams

nested_module = importlib.import_module("serbench.running.harness.nested")
folds_module = importlib.import_module("serbench.running.harness.folds")
SPEAKERS = 3
TEACHER = "teacher:functionals"


def taught(name: str = "taught") -> MethodPlan:
    return method(name, candidate(loss=Distillation(DistillationParams())))


def searching(name: str = "searching") -> MethodPlan:
    """Two candidates, of which the second learns nothing."""
    rates = (0.05, 1e-9)
    return method(name, *(candidate({"training.learning_rate": r}, learning_rate=r) for r in rates))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("harness") / "noise"
    write_noise(folder, SPEAKERS, utterances=2)
    return folder


@dataclass
class Done:
    """A finished run, what it told, and where it kept things."""

    plan: RunPlan
    root: Path
    store: RunStore
    watch: Watcher

    @property
    def predictions(self) -> pd.DataFrame:
        return self.store.predictions()


def do(plan: RunPlan, root: Path, **changes: Any) -> Done:
    watch = Watcher()
    return Done(plan, root, RunStore(run(plan, resources(root, **changes), watch)), watch)


@pytest.fixture(scope="module")
def done(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    plan = run_plan(folder, searching(), taught(), seeds=2)
    return do(plan, tmp_path_factory.mktemp("done"))


def test_every_utterance_is_predicted_once_by_every_method_and_seed(done: Done) -> None:
    predictions = done.predictions
    assert tuple(predictions.columns) == (*PREDICTION_COLUMNS, "p_high", "p_low")
    counts = predictions.groupby(["method", "seed"])["utterance"].agg(["size", "nunique"])
    utterances = SPEAKERS * len(LABELS) * 2
    assert set(counts.index) == {
        *((name, seed) for name in ("searching", "taught") for seed in (0, 1)), (TEACHER, 0),
    }  # fmt: skip
    assert (counts == utterances).all(axis=None)
    each = predictions.groupby("outer")["speaker"].nunique()
    assert list(each) == [1] * SPEAKERS
    winners = predictions[["p_high", "p_low"]].idxmax(axis=1).str.removeprefix("p_")
    assert (winners == predictions["predicted"]).all()
    truth = predictions["utterance"].str.split("_").str[1]
    assert (truth == predictions["label"]).all()


def test_what_can_be_learnt_is_learnt_and_the_teacher_has_a_row(done: Done) -> None:
    right = done.predictions.assign(hit=lambda p: p["label"] == p["predicted"])
    assert right.groupby("method")["hit"].mean().to_dict() == {
        "searching": 1.0, "taught": 1.0, TEACHER: 1.0,
    }  # fmt: skip


def test_the_refit_is_of_the_candidate_with_the_best_mean_inner_ua(done: Done) -> None:
    fits = pd.DataFrame(done.store.fits())
    fits = fits[fits["method"] == "searching"]
    inner, refits = fits[fits["inner"].notna()], fits[fits["inner"].isna()]
    assert len(inner) == 2 * SPEAKERS * 2 * (SPEAKERS - 1)
    assert len(refits) == 2 * SPEAKERS
    means = inner.groupby(["seed", "outer", "candidate"])["validation_ua"].mean()
    for refit in refits.itertuples():
        uas = means[refit.seed, refit.outer]
        assert uas[refit.candidate] == uas.max()
        assert refit.values == {  # noqa: PD011 - a column of that name
            "training.learning_rate": (0.05, 1e-9)[refit.candidate - 1]
        }
        assert pd.isna(refit.validation_ua)


def test_methods_of_a_run_share_seeds_windows_and_partitions(done: Done) -> None:
    places: dict[str, list[tuple[object, ...]]] = {}
    for task in done.watch.tasks:
        if "inner" not in task.name:
            place = task.name.partition("/")[2]
            settings = task.settings.segments, task.settings.augment
            shared = task.seed, task.train.ids, task.segments, settings, task.features.digest
            places.setdefault(place, []).append(shared)
    assert len(places) == 2 * SPEAKERS
    for place, shared in places.items():
        assert len(shared) == 2, place
        assert shared[0] == shared[1]
    assert len({shared[0][0] for shared in places.values()}) == 2 * SPEAKERS


def test_sealed_labels_never_reach_a_fit(done: Done) -> None:
    refits = [task for task in done.watch.tasks if "inner" not in task.name]
    assert len(refits) == 2 * 2 * SPEAKERS
    for task in refits:
        assert task.validation is None
        assert {segment.label for segment in task.segments} == {None}
        tested = {segment.utt_id for segment in task.segments}
        assert not tested & set(task.train.ids)
        with pytest.raises(LeakageError, match="L6"):
            task.train.label_of(sorted(tested))
    for task in done.watch.tasks:
        assert task.validation is None or task.validation.role == "validation"
        for teacher in task.teachers:
            assert teacher.logits is not None
            assert len(teacher.logits) == len(task.train.ids)
        assert task.train.label_of(task.train.ids).tolist() == [
            LABELS.index(i.split("_")[1]) for i in task.train.ids
        ]


def test_a_task_that_is_sent_to_a_worker_holds_no_path_of_the_corpus(
    done: Done, folder: Path
) -> None:
    task = next(task for task in done.watch.tasks if "inner" not in task.name)
    assert str(folder).encode() not in pickle.dumps(task)


def test_the_certificate_has_everything_that_was_fitted(done: Done) -> None:
    content = done.store.read_json("certificate")
    digest = content.pop("digest")
    certificate = Certificate.model_validate(content)
    assert certificate.digest == digest
    noted = {(record.partition, record.what) for record in certificate.fitted}
    expected = set()
    for outer in range(1, SPEAKERS + 1):
        sides = [f"outer-{outer}/inner-{n}/train" for n in range(1, SPEAKERS)]
        for side in (*sides, f"outer-{outer}/train"):
            expected |= {(side, "normaliser"), (side, "student of searching")}
        expected.add((f"outer-{outer}/train", "student of taught"))
        expected.add((f"outer-{outer}/train", "head of functionals"))
    assert expected <= noted
    for result in done.watch.results:
        assert set(result.fitted) <= set(certificate.fitted)
    outcomes = {check.code: check.outcome for check in certificate.checks}
    assert {outcomes[code] for code in ("L1", "L2", "L3", "L4", "L6", "L8")} == {"passed"}
    assert outcomes["L9"] == "measured"


def test_plugins_hear_of_the_run(done: Done) -> None:
    kinds = [type(event) for event in done.watch.events]
    assert kinds[0] is RunEvent
    assert kinds[-1] is RunEvent
    fits = 2 * SPEAKERS * (2 * (SPEAKERS - 1) + 1) + 2 * SPEAKERS
    first, last = done.watch.events[0], done.watch.events[-1]
    assert isinstance(first, RunEvent)
    assert first == last == RunEvent(done.store.folder, done.store.plan()["digest"], fits)
    assert kinds.count(EpochEvent) == fits * EPOCHS
    assert kinds.count(FoldEvent) == 2 * 2 * SPEAKERS + SPEAKERS


def test_a_fold_is_scored_when_it_is_refitted_and_never_before_all_is_chosen(done: Done) -> None:
    events = done.watch.events
    first = next(n for n, event in enumerate(events) if isinstance(event, FoldEvent))
    later = [event.fit for event in events[first:] if isinstance(event, EpochEvent)]
    assert len(later) == (2 * 2 * SPEAKERS - 1) * EPOCHS  # of all refits but the first
    assert not [fit for fit in later if "inner" in fit]


def test_the_run_folder_is_complete(done: Done) -> None:
    for name in ("plan", "environment", "certificate", "timing"):
        assert done.store.has(f"{name}.json")
    plan = done.store.plan()
    assert plan["seeds"] == [0, 1]
    assert plan["outer"] == [
        {"name": f"outer-{n + 1}", "test_units": [f"s{n}"]} for n in range(SPEAKERS)
    ]
    state = done.store.read_model("taught", 1, 0)
    assert state["classify.weight"].shape == (2, 120)
    timing = done.store.read_json("timing")
    assert timing["fits_run"] == len(done.watch.results)
    assert 0 < timing["step_s"] < timing["fit_s"] < timing["wall_s"]


def test_a_second_run_fits_nothing_and_says_the_same(
    done: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = done.store.read_json("certificate"), done.predictions

    def forbidden(*_: object) -> None:
        raise AssertionError("a fit in a run that is complete")

    monkeypatch.setattr("serbench.running.executors.executor.fit_student", forbidden)
    monkeypatch.setattr("serbench.running.harness.targets.cross_fit", forbidden)
    again = do(done.plan, done.root)
    assert again.store.folder == done.store.folder
    assert again.watch.tasks == []
    assert again.store.read_json("timing")["fits_run"] == 0
    assert again.store.read_json("certificate") == before[0]
    pd.testing.assert_frame_equal(again.predictions, before[1])


def test_another_run_takes_fits_over_under_its_own_names(done: Done) -> None:
    renamed = run_plan(done.plan.dataset.evaluated.spec.path or Path(), taught("mine"), seeds=2)
    again = do(renamed, done.root)
    assert again.store.folder != done.store.folder
    assert again.watch.tasks == []
    noted = {record["what"] for record in again.store.read_json("certificate")["fitted"]}
    assert "student of mine" in noted
    assert "student of taught" not in noted


def test_heads_kept_for_other_folds_are_noted_for_these(folder: Path, tmp_path: Path) -> None:
    def certificate(folds: str) -> dict[str, object]:
        plan = run_plan(folder, taught())
        object.__setattr__(plan, "folds", folds)
        return do(plan, tmp_path).store.read_json("certificate")

    file = tmp_path / "reversed.csv"
    names = sorted(path.stem for path in folder.glob("*.wav"))
    rows = [f"{name},{9 - int(name[1])}" for name in names]
    file.write_text("\n".join(["utterance,fold", *rows]))
    certificate("loso")
    assert certificate(str(file))["fitted"]


class Interrupt(Watcher):
    """Stops the run after some fits, as Ctrl-C does."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def fit_done(self, result: FitResult) -> None:
        super().fit_done(result)
        if len(self.results) == self.after:
            raise KeyboardInterrupt


@pytest.mark.parametrize("fits", [5, 2 * SPEAKERS * (SPEAKERS - 1) + 2])
def test_a_run_that_was_stopped_goes_on(folder: Path, tmp_path: Path, fits: int) -> None:
    """Among the inner fits, and among the refits, when a fold has been scored."""
    plan = run_plan(folder, searching(), method("plain"))
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    with pytest.raises(KeyboardInterrupt):
        run(plan, resources(stopped), Interrupt(fits))
    rest = do(plan, stopped)
    complete = do(plan, whole)
    assert len(rest.watch.results) == len(complete.watch.results) - fits
    pd.testing.assert_frame_equal(rest.predictions, complete.predictions)
    assert rest.store.read_json("certificate") == complete.store.read_json("certificate")


KILLED = """
import os, signal, sys
from pathlib import Path
from serbench.running.harness.run import run
from tests_support.runs import Watcher, resources, run_plan

class Killer(Watcher):
    def fit_done(self, result):
        super().fit_done(result)
        if len(self.results) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

run(run_plan(Path(sys.argv[1])), resources(Path(sys.argv[2])), Killer())
"""


def test_a_run_that_was_killed_goes_on(folder: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", KILLED, str(folder), str(tmp_path)]
    killed = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    rest = do(run_plan(folder), tmp_path)
    assert [task.name for task in rest.watch.tasks] == ["plain/seed-0/outer-3"]
    assert len(list((tmp_path / "runs").iterdir())) == 1
    assert len(rest.predictions) == SPEAKERS * 4


def test_relative_folders_do(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = Path(os.path.relpath(folder))
    plan = run_plan(data)
    part = plan.dataset.evaluated
    unnamed = replace(part, spec=part.spec.model_copy(update={"path": None}))
    plan = replace(plan, dataset=DatasetPlan(unnamed))
    finished = do(plan, Path(), data_dir=data)
    assert not finished.store.folder.is_absolute()
    assert len(finished.predictions) == SPEAKERS * 4


# ── planted leaks ────────────────────────────────────────────────────────────────────────────────


def stopped_by(code: str, plan: RunPlan, root: Path) -> Watcher:
    watch = Watcher()
    with pytest.raises(LeakageError, match=code):
        run(plan, resources(root), watch)
    return watch


def test_a_speaker_on_both_sides_stops_the_run_before_any_fit(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = folds_module.outer_splits

    def leaky(*arguments: object, **named: object) -> object:
        first, *rest = original(*arguments, **named)  # pyright: ignore[reportArgumentType]
        moved = first.test.ids[0]
        train = first.train
        wider = type(train)(train.name, (*train.ids, moved), (*train.units, "s0"), train.role)
        test = type(train)(first.test.name, first.test.ids[1:], first.test.units, first.test.role)
        return (type(first)(first.name, wider, test), *rest)

    monkeypatch.setattr(folds_module, "outer_splits", leaky)
    watch = stopped_by("L1", run_plan(folder), tmp_path)
    assert watch.tasks == []
    assert not (tmp_path / "runs").exists()


def test_the_same_recording_under_two_speakers_stops_it(tmp_path: Path) -> None:
    data = tmp_path / "noise"
    write_noise(data, SPEAKERS, utterances=2)
    (data / "s1_high_9.wav").write_bytes((data / "s0_high_0.wav").read_bytes())
    assert stopped_by("L4", run_plan(data), tmp_path).tasks == []


def test_a_louder_copy_under_another_speaker_stops_it(tmp_path: Path) -> None:
    data = tmp_path / "noise"
    write_noise(data, SPEAKERS, utterances=2)
    x, rate = soundfile.read(data / "s0_high_0.wav", dtype="float32")
    soundfile.write(data / "s1_high_9.wav", np.concatenate([x[800:], 0 * x[:400]]) * 0.4, rate)
    with pytest.raises(LeakageError, match=r"L5: .*s0_high_0 ~ s1_high_9|s1_high_9 ~ s0_high_0"):
        run(run_plan(data), resources(tmp_path), Watcher())
    assert not (tmp_path / "runs").exists()
    dropped = do(run_plan(data, duplicates="drop"), tmp_path)
    assert "s1_high_9" not in set(dropped.predictions["utterance"])
    assert dropped.store.read_json("certificate")["dropped"] == ["s1_high_9"]


def test_windows_of_a_foreign_utterance_stop_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import serbench.running.harness.tasks as tasks_module

    original = tasks_module.segment_partition

    def leaky(table: CorpusTable, partition: Partition, cutting: Cutting) -> tuple[Segment, ...]:
        foreign = Partition(partition.name, ("s2_low_0",), ("s2",), partition.role)
        segments = original(table, partition, cutting)
        return (*segments, *original(table, foreign, cutting))

    monkeypatch.setattr(tasks_module, "segment_partition", leaky)
    stopped_by("L3", run_plan(folder), tmp_path)


def test_a_normaliser_fitted_on_everything_stops_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serbench.learning.features import Frames, TrainingFrames

    def leaky(self: Frames, view: object, what: str) -> TrainingFrames:
        view.record(what, self.ids)  # pyright: ignore[reportAttributeAccessIssue]
        return TrainingFrames(self, self.ids)

    monkeypatch.setattr(Frames, "fitting", leaky)
    stopped_by("L6", run_plan(folder), tmp_path)


def test_other_predictions_after_the_labels_were_read_stop_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = do(run_plan(folder), tmp_path)
    original = nested_module.kept_fit

    def improved(*arguments: object) -> object:
        fit = original(*arguments)  # pyright: ignore[reportArgumentType]
        if fit is not None:
            np.asarray(fit.posteriors)[:] = fit.posteriors[:, ::-1]
        return fit

    monkeypatch.setattr(nested_module, "kept_fit", improved)
    stopped_by("L8", run_plan(folder), tmp_path)
    assert done.store.has("predictions.parquet")


# ── folders ──────────────────────────────────────────────────────────────────────────────────────


def test_a_file_in_the_way_of_the_runs_is_told_before_anything_is_computed(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "runs").write_text("")
    watch = Watcher()
    with pytest.raises(StoreError, match="runs is a file"):
        run(run_plan(folder), resources(tmp_path), watch)
    assert watch.tasks == []
    assert not (tmp_path / "cache").exists()


def test_another_device_is_another_run(folder: Path, tmp_path: Path) -> None:
    first = do(run_plan(folder), tmp_path)
    second = do(run_plan(folder), tmp_path, device="cpu:0")
    assert first.store.folder != second.store.folder
