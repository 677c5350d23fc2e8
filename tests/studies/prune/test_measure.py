"""From a finished run to the table and the figure; what is fitted on what, kept, and refused."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests_support.replays import PLUGINS, predicted, write_shifting
from tests_support.runs import HERE, Watcher, candidate, method, resources, run_plan

from serbench.api import SerbenchError, StoreError
from serbench.learning.fit.loop import fit
from serbench.learning.fit.task import FitResult, FitTask
from serbench.protocol.guard.view import id_set_digest
from serbench.results.figure.figure import Lines
from serbench.running.executors.local import LocalExecutor
from serbench.running.harness.observer import Observer
from serbench.running.harness.run import run
from serbench.running.harness.targets import fit_targets
from serbench.running.harness.views import Views
from serbench.running.replay.run import POST_HOC, Replay
from serbench.running.store.cache import FitCache
from serbench.studies.prune.choices import UNTOUCHED, Cut, Tuning
from serbench.studies.prune.measure import Pruning, measure_pruning
from serbench.studies.prune.show import (
    CONTROL,
    HEADINGS,
    notes,
    prune_figure,
    row_name,
    show_pruning,
)
from serbench.studies.prune.students import pruner_of
from serbench_akd.hybrid import Hybrid, HybridParams
from serbench_baselines.kd import Distillation, DistillationParams

TINY = HybridParams(
    stem_channels=(3, 4, 4), residual_convolutions=1, blocks=1, heads=2, expansion=1, fused_dim=8
)
TUNING = Tuning(epochs=2)
AMOUNTS = (0.25, 0.6)


class Installed:
    """Stands for the installed plugins."""

    def get(self, kind: str, name: str) -> Any:
        return {**PLUGINS, "hybrid": Hybrid}[name]


def make(root: Path, **protocol: Any) -> Path:
    """``root/noise``, and ``root/run`` on it: a taught hybrid, and a linear student."""
    write_shifting(root / "noise", speakers=3, utterances=2)
    loss = Distillation(DistillationParams())
    taught = method("taught", candidate(loss=loss, student=Hybrid(TINY), learning_rate=0.02))
    plan = run_plan(root / "noise", taught, method("plain"), **protocol)
    return run(plan, resources(root, folder=root / "run"), Watcher())


def opened(root: Path, watch: Observer | None = None) -> Replay:
    return Replay.open(
        root / "run",
        SimpleNamespace(datasets={}, teachers={}),  # pyright: ignore[reportArgumentType]
        Installed(),  # pyright: ignore[reportArgumentType]
        data_dir=root / "noise",
        cache=root / "cache",
        watch=watch or Observer(),
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prune")
    make(root, seeds=2)
    return root


@pytest.fixture(scope="module")
def replay(made: Path) -> Replay:
    return opened(made)


@pytest.fixture(scope="module")
def done(made: Path) -> tuple[Pruning, dict[str, FitTask]]:
    """A study, and the fits that it took."""
    tasks: dict[str, FitTask] = {}
    real = LocalExecutor.fits

    def noting(own: LocalExecutor, wanted: Sequence[FitTask], on_epoch: Any) -> Iterator[FitResult]:
        tasks.update((task.name, task) for task in wanted)
        return real(own, wanted, on_epoch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalExecutor, "fits", noting)
        study = measure_pruning(opened(made), "taught", (), AMOUNTS, TUNING)
    return study, tasks


@pytest.fixture(scope="module")
def study(done: tuple[Pruning, dict[str, FitTask]]) -> Pruning:
    return done[0]


@pytest.fixture(scope="module")
def tasks(done: tuple[Pruning, dict[str, FitTask]]) -> dict[str, FitTask]:
    return done[1]


def ua(labels: Sequence[str], predicted: Sequence[str]) -> float:
    true, right = np.array(labels), np.equal(labels, predicted)
    return float(np.mean([right[true == label].mean() for label in sorted(set(labels))]))


def scored(replay: Replay, says: Callable[[Any], tuple[Sequence[str], np.ndarray]]) -> float:
    """UA over the outer test sides of seed 0, of whatever ``says`` of each student's."""
    labels, predicted = [], []
    for student in replay.fold_students("taught", [0]):
        ids, posteriors = says(student)
        labels += [replay.table.by_id[utterance].label for utterance in ids]
        predicted += [replay.table.labels[best] for best in posteriors.argmax(axis=1)]
    return ua(labels, predicted)


# What is measured


def test_the_first_row_is_what_the_run_has_kept(made: Path, study: Pruning) -> None:
    rows = pd.read_parquet(made / "run" / "predictions.parquet").query("method == 'taught'")
    rows = rows[rows["seed"] == 0]
    whole = study.whole
    assert whole.ua.value == pytest.approx(ua(list(rows["label"]), list(rows["predicted"])))
    assert (whole.cut, whole.tuned, whole.difference) == (UNTOUCHED, False, None)
    assert (study.method, study.seeds, study.folds) == ("taught", (0,), 3)


def test_there_is_a_row_for_each_kind_and_amount(study: Pruning) -> None:
    assert study.kinds == ("magnitude", "heads", "channels")
    cuts = [Cut(kind, amount) for kind in study.kinds for amount in AMOUNTS]
    assert [row.cut for row in study.rows] == [UNTOUCHED, UNTOUCHED, *cuts]
    for row in study.rows[1:]:
        assert row.difference is not None
        assert row.difference.value == pytest.approx(row.ua.value - study.whole.ua.value)
        assert row.difference.low <= row.difference.value <= row.difference.high


def test_sizes_fall_as_the_kind_says(study: Pruning) -> None:
    whole, tuned = study.of("none")
    assert tuned.size.parameters == whole.size.parameters
    assert tuned.untuned == whole.ua
    for row in study.of("magnitude"):
        assert row.size.parameters == whole.size.parameters
        assert (row.size.file_bytes, row.size.macs) == (whole.size.file_bytes, whole.size.macs)
        assert row.size.compressed_bytes < whole.size.compressed_bytes
    for kind in ("heads", "channels"):
        sizes = [row.size for row in (whole, *study.of(kind))]
        for field in ("parameters", "nonzero", "file_bytes", "macs"):
            values = [getattr(size, field) for size in sizes]
            assert values == sorted(set(values), reverse=True) or kind == "heads"
            assert values[-1] < values[0]


def test_masked_weights_are_still_zero_after_the_fine_tuning(
    replay: Replay, study: Pruning
) -> None:
    student = replay.fold_students("taught", [0])[0]
    layers = [
        p for n, p in student.module.named_parameters() if n.endswith("weight") and p.ndim > 1
    ]
    total = sum(each.numel() for each in layers)
    for row in study.of("magnitude"):
        left = row.size.parameters - row.size.nonzero
        assert left == pytest.approx(round(row.cut.amount * total), abs=2)


def test_scores_before_fine_tuning_are_those_of_the_cut_network_alone(
    replay: Replay, study: Pruning
) -> None:
    pruners = {each.name: pruner_of(each) for each in replay.fold_students("taught", [0])}
    for row in study.rows[2:]:

        def says(student: Any, cut: Cut = row.cut) -> tuple[Sequence[str], np.ndarray]:
            network = pruners[student.name].cut(cut).build(student.shape).eval()
            other = SimpleNamespace(
                module=network, normaliser=student.normaliser, candidate=student.candidate
            )
            frames = replay.frames(student.candidate.front_end)
            return predicted(replay, other, frames, replay.segments(student))

        assert row.untuned.value == pytest.approx(scored(replay, says))


def test_scores_after_it_are_those_of_the_fits(
    replay: Replay, study: Pruning, tasks: dict[str, FitTask]
) -> None:
    row = study.of("channels")[1]

    def says(student: Any) -> tuple[Sequence[str], np.ndarray]:
        result = fit(tasks[f"{student.name}/channels-0.6"], lambda _: None)
        return result.ids, result.posteriors

    assert row.ua.value == pytest.approx(scored(replay, says))


# What is fitted, and on what


def test_every_fit_sees_its_folds_training_side_alone(
    replay: Replay, tasks: dict[str, FitTask]
) -> None:
    assert len(tasks) == 3 * 7
    for name, task in tasks.items():
        split = replay.folds.outer[int(name.split("/")[2].removeprefix("outer-")) - 1]
        assert task.train.ids == split.train.ids
        assert task.validation is None
        assert task.normaliser is None
        assert {segment.utt_id for segment in task.segments} == set(split.test.ids)
        assert not set(task.train.ids) & set(split.test.ids)
        assert task.epochs == task.settings.training.epochs == 2
        assert task.settings.training.learning_rate == pytest.approx(0.002)


def test_what_was_fitted_is_noted_and_is_the_training_side(
    made: Path, replay: Replay, study: Pruning
) -> None:
    assert study.rows
    entries = [FitCache(made / "cache", "prune").get(p.stem)
               for p in (made / "cache" / "prune").rglob("*.safetensors")]  # fmt: skip
    digests = {split.train.name: id_set_digest(split.train.ids) for split in replay.folds.outer}
    seen = set()
    for entry in entries:
        assert entry is not None
        for record in entry.json["fitted"]:
            assert record["digest"] == digests[record["partition"]]
            seen.add(record["what"])
    assert {"normaliser", "student of taught"} <= seen


def test_teachers_say_what_they_said_in_the_run(
    made: Path, replay: Replay, tasks: dict[str, FitTask]
) -> None:
    embeddings = {"functionals": replay.embeddings("functionals")}
    classes = len(replay.table.labels)
    views = Views(replay.table, replay.folds.outer)
    for index, split in enumerate(replay.folds.outer):
        view = views.make(index, split.train)
        task = tasks[f"taught/seed-0/outer-{index + 1}/none"]
        head = task.settings.head
        target = fit_targets(embeddings, {view.name: view}, [head], classes, made / "cache", HERE)
        (signal,) = task.teachers
        assert signal.name == "functionals"
        np.testing.assert_array_equal(signal.logits, target["functionals", view.name, head].logits)


def test_a_fit_starts_from_the_stored_weights(replay: Replay, tasks: dict[str, FitTask]) -> None:
    for student in replay.fold_students("taught", [0]):
        task = tasks[f"{student.name}/none"]
        state = task.student.build(student.shape).state_dict()
        stored = student.module.state_dict()
        assert all(torch.equal(value, stored[name]) for name, value in state.items())


def test_a_task_gives_the_same_in_another_process(tasks: dict[str, FitTask]) -> None:
    task = tasks["taught/seed-0/outer-1/magnitude-0.6"]
    there = pickle.loads(pickle.dumps(task))
    here = fit(task, lambda _: None)
    np.testing.assert_array_equal(fit(there, lambda _: None).posteriors, here.posteriors)


@pytest.mark.parametrize("changed", ["normaliser.mean", "normaliser.deviation"])
def test_another_training_side_is_noticed(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    shutil.copytree(made, tmp_path / "made", ignore=shutil.ignore_patterns("prune"))
    real = LocalExecutor.fits

    def other(*arguments: Any) -> Iterator[FitResult]:
        for result in real(*arguments):
            yield replace(result, state={**result.state, changed: result.state[changed] + 0.1})

    monkeypatch.setattr(LocalExecutor, "fits", other)
    with pytest.raises(StoreError, match=r"outer-1/none was not fitted on the same training side"):
        measure_pruning(opened(tmp_path / "made"), "taught", ("heads",), (0.5,), TUNING)


# What is kept


def forbidden(_: LocalExecutor, tasks: Sequence[FitTask], *__: Any) -> Iterator[FitResult]:
    assert tasks == []
    return iter(())


def test_a_second_command_fits_nothing_again(
    made: Path, study: Pruning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalExecutor, "fits", forbidden)
    again = measure_pruning(opened(made), "taught", (), AMOUNTS, TUNING)
    assert again == study
    fewer = measure_pruning(opened(made), "taught", ("heads",), AMOUNTS[:1], TUNING)
    assert fewer.rows == (*study.rows[:2], study.of("heads")[0])


def test_a_stopped_command_goes_on(made: Path, tmp_path: Path, study: Pruning) -> None:
    shutil.copytree(made, tmp_path / "made", ignore=shutil.ignore_patterns("prune"))
    real = LocalExecutor.fits
    fitted: list[str] = []

    def stopping(*arguments: Any) -> Iterator[FitResult]:
        for result in real(*arguments):
            if len(fitted) == 2:
                raise KeyboardInterrupt
            fitted.append(result.name)
            yield result

    def ask(watch: Observer | None = None) -> Pruning:
        replay = opened(tmp_path / "made", watch)
        return measure_pruning(replay, "taught", ("heads",), AMOUNTS[:1], TUNING)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalExecutor, "fits", stopping)
        with pytest.raises(KeyboardInterrupt):
            ask()
    watch = Watcher()
    there = ask(watch)
    assert there.rows == (*study.rows[:2], study.of("heads")[0])
    assert watch.cached == 2
    assert {task.name for task in watch.tasks} & set(fitted) == set()
    assert len(watch.results) == len(watch.tasks) == 4


def test_another_fine_tuning_is_another_fit(made: Path) -> None:
    rates = []
    for tuning in (Tuning(2, 0.01), Tuning(1, 0.01), Tuning(1), Tuning(1, 0.01)):
        watch = Watcher()
        measure_pruning(opened(made, watch), "plain", (), (0.6,), tuning)
        rates.append({task.settings.training.learning_rate for task in watch.tasks})
        assert watch.cached + len(watch.tasks) == 2 * 3
    assert rates == [{0.01}, {0.01}, {0.1 * 0.05}, set()]


# What is asked for


def test_a_student_without_a_teacher_and_with_weights_alone(made: Path) -> None:
    found = measure_pruning(opened(made), "plain", (), (0.5,), Tuning(1), seeds=(1, 0))
    assert found.kinds == ("magnitude",)
    assert found.seeds == (0, 1)
    assert "(seed 0, 1)" in notes(found)[0]
    with pytest.raises(SerbenchError, match="--kind heads: plain/seed-0/outer-1 has no such parts"):
        measure_pruning(opened(made), "plain", ("heads",), (0.5,), Tuning(1))


def test_the_first_method_and_the_first_seed_unless_told_otherwise(replay: Replay) -> None:
    chosen = replay.fold_students(None, ())
    assert [each.name for each in chosen] == [f"taught/seed-0/outer-{n}" for n in (1, 2, 3)]


def test_an_unknown_method_or_seed_is_told(replay: Replay) -> None:
    with pytest.raises(StoreError, match="no student of nobody; its methods: taught, plain"):
        replay.fold_students("nobody", ())
    with pytest.raises(StoreError, match="no seed 7; its seeds: 0, 1"):
        replay.fold_students(None, [0, 7])


def test_a_fold_without_a_student_is_told(replay: Replay) -> None:
    kept = tuple(s for s in replay.students if s.name != "plain/seed-1/outer-2")
    with pytest.raises(StoreError, match="student of plain, outer fold 2, seed 1"):
        replace(replay, students=kept).fold_students("plain", [1])


@pytest.mark.parametrize(
    ("epochs", "rate", "message"),
    [
        (0, None, "--epochs 0: give 1 or more"),
        (5, 0.0, "--learning-rate 0: give a number above 0"),
        (5, float("nan"), "--learning-rate nan"),
        (5, float("inf"), "--learning-rate inf"),
    ],
)
def test_a_fine_tuning_that_is_none_is_refused(
    epochs: int, rate: float | None, message: str
) -> None:
    with pytest.raises(SerbenchError, match=message):
        Tuning(epochs, rate)


def test_a_leaky_run_is_refused(tmp_path: Path) -> None:
    make(tmp_path, name="leaky-normaliser")
    with pytest.raises(StoreError, match="broken on purpose"):
        measure_pruning(opened(tmp_path))


# What is written


def test_the_table_says_what_a_reader_must_know(study: Pruning) -> None:
    shown = show_pruning(study)
    (table,) = shown.tables
    text = " ".join((*table.notes, *table.warnings))
    for wanted in (
        POST_HOC, "fine-tuned for 2 epochs", "a learning rate of 0.002", "each of 3 outer folds",
        "heads of blocks.0.space, blocks.0.time", "channels of stem_channels[0]",
        "a window of 0.8 s",
    ):  # fmt: skip
        assert wanted in text
    assert shown.certificates == (study.certificate,)
    assert [section.heading for section in table.sections] == list(HEADINGS.values())
    assert [row[0].text for row in table.rows] == [row_name(row) for row in study.rows]
    assert [row[0].text for row in table.rows[:3]] == ["nothing", "nothing, fine-tuned", "25 %"]
    rows = pd.DataFrame(table.records)
    assert list(rows["kind"]) == [row.cut.kind for row in study.rows]
    assert list(rows["fine_tuned"]) == [row.tuned for row in study.rows]
    assert list(rows["nonzero"]) == [row.size.nonzero for row in study.rows]
    assert list(rows["ua"]) == [row.ua.value for row in study.rows]
    assert rows["delta_ua"].isna().tolist() == [True] + [False] * (len(rows) - 1)


def test_the_curves_begin_at_the_whole_student(study: Pruning) -> None:
    left, right = prune_figure(study).panels
    for panel, field, scale in ((left, "nonzero", 1e3), (right, "macs", 1e6)):
        assert isinstance(panel.plot, Lines)
        curves = [line for line in panel.plot.lines if len(line.x) == 3]
        assert len(curves) == 2 * len(study.kinds)  # with and without fine-tuning
        for kind, line in zip(study.kinds, curves[1::2], strict=True):
            rows = (study.whole, *study.of(kind))
            assert list(line.x) == [getattr(row.size, field) / scale for row in rows]
            assert list(line.middle) == [100 * row.ua.value for row in rows]
        control = next(line for line in panel.plot.lines if line.text == CONTROL)
        assert list(control.middle) == [100 * study.rows[1].ua.value]
        assert control.x[0] > getattr(study.whole.size, field) / scale  # beside the unpruned one
        assert control.style not in [line.style for line in panel.plot.lines if line is not control]
