"""A finished run predicts again, as it did; what does not fit together is named."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import soundfile
from scipy.special import softmax
from tests_support.pretraining import hinted, make_pretrained
from tests_support.replays import (
    PLUGINS,
    contents,
    make_replayable,
    open_replay,
    predicted,
    write_shifting,
)
from tests_support.runs import method

from serbench.api import CorpusError, LeakageError, PluginError, StoreError, TeacherError
from serbench.running.replay import students
from serbench.running.replay.run import POST_HOC, Replay
from serbench_front_ends.log_mel import LogMel


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("replay")
    make_replayable(root, seeds=2)
    return root


@pytest.fixture(scope="module")
def replay(made: Path) -> Replay:
    return open_replay(made)


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A copy to be tampered with."""
    for name in ("noise", "run"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


def change(path: Path, edit: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_every_student_predicts_what_the_run_has_kept(replay: Replay) -> None:
    before = contents(replay.store.folder)
    assert [(s.method, s.seed, s.outer) for s in replay.students] == [
        (method, seed, outer)
        for method in ("taught", "plain")
        for seed in (0, 1)
        for outer in (1, 2, 3, 4)
    ]
    for student in replay.students:
        frames = replay.frames(student.candidate.front_end)
        ids, posteriors = predicted(replay, student, frames, replay.segments(student))
        assert ids == replay.folds.outer[student.outer - 1].test.ids
        assert posteriors.dtype == np.float32
        assert replay.check_same(student, ids, posteriors) < 1e-6
        assert student.parameters == sum(p.numel() for p in student.module.parameters())
    assert contents(replay.store.folder) == before
    assert replay.notes == (POST_HOC,)


def test_a_teachers_head_gives_the_rows_that_the_run_has_kept(replay: Replay) -> None:
    (name,) = replay.teachers
    for outer, split in enumerate(replay.folds.outer, start=1):
        pooled = replay.embeddings(name).pooled_of(split.test.ids)
        again = softmax(replay.teacher_head(name, outer).predict(pooled), axis=1)
        kept = replay.stored_posteriors(f"teacher:{name}", outer, 0).reindex(list(split.test.ids))
        np.testing.assert_allclose(again, kept.to_numpy(), atol=1e-5)
    assert replay.teacher_head(name, 1) is replay.teacher_head(name, 1)


def test_labels_are_those_of_the_corpus(replay: Replay) -> None:
    rows = list(csv.DictReader((replay.store.folder / "utterances.csv").read_text().splitlines()))
    ids = [row["utterance"] for row in rows][::-1]
    wanted = [replay.table.labels.index(row["label"]) for row in rows][::-1]
    assert replay.labels_of(ids).tolist() == wanted
    with pytest.raises(LeakageError, match=r"L8.*never read"):
        replay.labels_of([*ids, "nobody"])


def test_other_frames_give_other_posteriors(replay: Replay) -> None:
    student = replay.students_of(["plain"])[0]
    frames = replay.frames(student.candidate.front_end)
    louder = replace(frames, values=np.asarray(frames.values) + 3.0, digest="louder")
    segments = replay.segments(student)[:3]
    ids, clean = predicted(replay, student, frames, segments)
    _, loud = predicted(replay, student, louder, segments)
    assert len(ids) == len(clean) <= 3
    assert np.abs(clean - loud).max() > 1e-3


def test_students_of_some_methods(replay: Replay) -> None:
    assert replay.students_of() == replay.students
    assert {student.method for student in replay.students_of(["plain"])} == {"plain"}
    with pytest.raises(StoreError, match="no student of akd; its methods: taught, plain"):
        replay.students_of(["akd", "plain"])


def test_released_weights_are_read_again(replay: Replay) -> None:
    student = replay.students[0]
    first = student.module
    assert student.module is first
    student.release()
    assert student.module is not first


def test_a_prediction_is_kept_until_anything_of_it_changes(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay = open_replay(root)
    student = replay.students[0]
    frames = replay.frames(student.candidate.front_end)
    segments = replay.segments(student)
    calls: list[str] = []
    real = students.predict_windows

    def counted(*arguments: Any) -> Any:
        calls.append("call")
        return real(*arguments)

    monkeypatch.setattr(students, "predict_windows", counted)
    first = replay.predict_kept(student, frames, segments)
    again = replay.predict_kept(student, frames, segments)
    assert len(calls) == 1
    assert first[0] == again[0]
    np.testing.assert_array_equal(first[1], again[1])
    replay.predict_kept(student, replace(frames, digest="other"), segments)
    replay.predict_kept(student, frames, replay.segments(student, overlap_s=0.6))
    negate(student.path)
    student.release()
    replay.predict_kept(student, frames, segments)
    assert len(calls) == 4


def negate(path: Path) -> None:
    state = safetensors.torch.load(path.read_bytes())
    state["classify.weight"] = -state["classify.weight"]
    path.write_bytes(safetensors.torch.save(state))


def test_another_student_is_told(root: Path) -> None:
    replay = open_replay(root)
    student = replay.students[1]
    negate(student.path)
    frames = replay.frames(student.candidate.front_end)
    ids, posteriors = predicted(replay, student, frames, replay.segments(student))
    with pytest.raises(StoreError, match="taught/seed-0/outer-2 does not predict what the run"):
        replay.check_same(student, ids, posteriors)
    with pytest.raises(StoreError, match="does not predict"):
        replay.check_same(student, ids[1:], posteriors[1:])


def test_weights_of_another_shape_are_told(root: Path) -> None:
    student = open_replay(root).students[0]
    state = safetensors.torch.load(student.path.read_bytes())
    student.path.write_bytes(safetensors.torch.save({"normaliser.mean": state["normaliser.mean"]}))
    with pytest.raises(StoreError, match="is not the student of taught/seed-0/outer-1"):
        _ = student.module


def test_missing_weights_are_named(root: Path) -> None:
    path = root / "run" / "models" / "plain" / "outer-3-seed-1.safetensors"
    path.unlink()
    with pytest.raises(StoreError, match=r"lacks the weights of 1 students, such as .*outer-3"):
        open_replay(root)


def test_what_is_no_finished_run_is_refused(root: Path) -> None:
    (root / "run" / "predictions.parquet").unlink()
    with pytest.raises(StoreError, match="the run has not finished"):
        open_replay(root)
    shutil.rmtree(root / "run")
    with pytest.raises(StoreError, match="no run folder"):
        open_replay(root)


@pytest.mark.parametrize(
    "lose", [lambda plan: plan.pop("cards"), lambda plan: plan.update(backend=None)]
)
def test_a_plan_that_holds_too_little_is_refused(
    root: Path, lose: Callable[[dict[str, Any]], None]
) -> None:
    change(root / "run" / "plan.json", lose)
    with pytest.raises(StoreError, match="lacks parts that are needed to recompute it"):
        open_replay(root)


def test_changed_predictions_are_refused(root: Path) -> None:
    path = root / "run" / "predictions.parquet"
    rows = pd.read_parquet(path)
    rows["p_high"], rows["p_low"] = rows["p_low"].copy(), rows["p_high"].copy()
    rows.to_parquet(path, index=False)
    with pytest.raises(StoreError, match="taught, outer fold 1, seed 0 are not those that the led"):
        open_replay(root)


def test_another_corpus_is_refused(root: Path) -> None:
    first, second, third = sorted((root / "noise").glob("*.wav"))[:3]
    x, rate = soundfile.read(first, dtype="int16")
    x[100] += 1
    soundfile.write(first, x, rate)
    second.unlink()
    y, rate = soundfile.read(third, dtype="int16")
    soundfile.write(third.with_name("s9_low_0.wav"), y[::-1], rate)
    with pytest.raises(CorpusError) as caught:
        open_replay(root)
    text = str(caught.value)
    assert f"1 utterances of the run are missing, such as {second.stem}" in text
    assert "1 are new, such as s9_low_0" in text
    assert f"1 have another audio or label, such as {first.stem}" in text
    assert "--data-dir" in text


def test_other_folds_are_refused(root: Path) -> None:
    change(root / "run" / "plan.json", lambda plan: plan.update(folds_digest="0"))
    with pytest.raises(
        StoreError, match=r"recomputed folds of the run are not those of plan\.json"
    ):
        open_replay(root)


def test_other_code_is_a_note(root: Path) -> None:
    change(root / "run" / "plan.json", lambda plan: plan["code"].update(fit="0", head="0"))
    assert open_replay(root).notes[1].startswith("Code has changed since the run was made (fit, he")


def test_a_plugin_that_is_gone_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(PLUGINS, "linear")
    with pytest.raises(PluginError, match="linear"):
        open_replay(root)


def test_a_teacher_with_other_weights_is_refused(root: Path) -> None:
    change(
        root / "run" / "plan.json", lambda plan: plan["model_digests"].update(functionals="other")
    )
    replay = open_replay(root)
    with pytest.raises(StoreError, match="weights of teacher functionals are not those of the run"):
        replay.teacher_head("functionals", 1)
    with pytest.raises(StoreError, match="no teacher wav2vec2; its teachers: functionals"):
        replay.teacher("wav2vec2")


def test_a_leaky_run_predicts_and_measures_nothing(tmp_path: Path) -> None:
    make_replayable(tmp_path, name="leaky-normaliser")
    replay = open_replay(tmp_path)
    student = replay.students[0]
    frames = replay.frames(student.candidate.front_end)
    assert replay.check_same(
        student, *predicted(replay, student, frames, replay.segments(student))
    ) < 1e-6  # fmt: skip
    for refused in (replay.check_proper, lambda: replay.teacher_head("functionals", 1)):
        with pytest.raises(StoreError, match="leaky-normaliser, which is broken on purpose"):
            refused()


def test_a_pretrained_run_opens_without_its_audio(tmp_path: Path) -> None:
    make_pretrained(tmp_path, method("hinted", hinted()))
    shutil.rmtree(tmp_path / "speech")
    replay = open_replay(tmp_path)
    assert replay.certificate.audio is not None
    assert replay.notes == (POST_HOC,)
    assert len(replay.students) == 3
    for student in replay.students:
        frames = replay.frames(student.candidate.front_end)
        told = predicted(replay, student, frames, replay.segments(student))
        assert replay.check_same(student, *told) < 1e-6
    assert replay.teacher_head("functionals", 1).predict(
        replay.embeddings("functionals").pooled_of(replay.folds.outer[0].test.ids)
    ).shape == (4, 2)


def test_copies_that_the_run_left_out_may_be_there(tmp_path: Path) -> None:
    write_shifting(tmp_path / "noise", speakers=4, utterances=4)
    shutil.copy(tmp_path / "noise" / "s0_low_0.wav", tmp_path / "noise" / "s3_low_7.wav")
    make_replayable(tmp_path, duplicates="drop")
    replay = open_replay(tmp_path)
    assert "s3_low_7" not in replay.table.by_id
    assert len(replay.table.ids) == 32


def test_weights_that_one_student_needs_stop_that_student_alone(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def width(_: LogMel) -> int:
        raise TeacherError("no weights")

    monkeypatch.setattr(LogMel, "width", property(width))
    (student, *_) = open_replay(made).students
    with pytest.raises(TeacherError, match="no weights"):
        _ = student.module
