"""Windows, scores and what is said of them, against the definitions written out."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
from tests_support.replays import make_replayable, open_replay, predicted, write_shifting
from tests_support.runs import WINDOW_S, Watcher, candidate, method, resources, run_plan

from serbench.api import RegistryError, StoreError
from serbench.results.figure.figure import Lines
from serbench.results.figure.palette import styles_of
from serbench.running.executors.local import LocalExecutor
from serbench.running.harness.run import run
from serbench.running.replay.run import POST_HOC, Replay
from serbench.studies.overlap.measure import measure_overlap
from serbench.studies.overlap.records import SAME, Longer, Overlaps
from serbench.studies.overlap.show import overlap_table, share_lines, show_overlap

OVERLAPS_S = (0.0, 0.2, 0.6)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("overlap")
    make_replayable(root, seeds=2)
    return root


@pytest.fixture(scope="module")
def replay(made: Path) -> Replay:
    return open_replay(made)


@pytest.fixture(scope="module")
def study(replay: Replay) -> Overlaps:
    return measure_overlap(replay, OVERLAPS_S)


def bounds(duration_s: float, overlap_s: float) -> list[float]:
    """Starts of an utterance's windows, written from the definition."""
    if duration_s <= WINDOW_S:
        return [0.0]
    starts, start = [], 0.0
    while start + WINDOW_S < duration_s - 1e-9:
        starts.append(start)
        start += WINDOW_S - overlap_s
    return [*starts, duration_s - WINDOW_S]


def by_hand(replay: Replay, method: str, overlap_s: float) -> pd.DataFrame:
    """Classes by seed and utterance, each window predicted alone and averaged here."""
    rows = []
    for student in replay.students_of([method]):
        frames = replay.frames(student.candidate.front_end)
        posteriors: dict[str, list[np.ndarray]] = {}
        for segment in replay.segments(student, overlap_s):
            _, alone = predicted(replay, student, frames, [segment])
            posteriors.setdefault(segment.utt_id, []).append(alone[0])
        for utterance, windows in posteriors.items():
            rows.append(
                {
                    "seed": student.seed,
                    "utterance": utterance,
                    "label": replay.table.by_id[utterance].label,
                    "predicted": replay.table.labels[int(np.mean(windows, axis=0).argmax())],
                }
            )
    return pd.DataFrame(rows).set_index(["seed", "utterance"]).sort_index()


def ua(rows: pd.DataFrame) -> float:
    right = rows["label"] == rows["predicted"]
    return float(right.groupby(rows["label"]).mean().mean())


def test_scores_are_those_of_each_window_alone(replay: Replay, study: Overlaps) -> None:
    base = by_hand(replay, "plain", OVERLAPS_S[0])
    for row, overlap_s in zip(study.of("plain"), OVERLAPS_S, strict=True):
        rows = by_hand(replay, "plain", overlap_s)
        assert row.overlap_s == overlap_s
        assert row.ua.value == pytest.approx(ua(rows))
        assert row.wa.value == pytest.approx((rows["label"] == rows["predicted"]).mean())
        assert row.changed == (rows["predicted"] != base["predicted"]).sum()
        if row.difference is not None:
            assert row.difference.value == pytest.approx(ua(rows) - ua(base))
            assert row.difference.low <= row.difference.value <= row.difference.high
    assert study.of("plain")[-1].changed > 0  # or the test would see little


def test_windows_are_counted_once_whatever_the_seeds(replay: Replay, study: Overlaps) -> None:
    durations = [utterance.duration_s for utterance in replay.table.utterances]
    base = [bounds(duration_s, OVERLAPS_S[0]) for duration_s in durations]
    for row in study.rows:
        cut = [bounds(duration_s, row.overlap_s) for duration_s in durations]
        assert row.windows == sum(map(len, cut))
        assert row.recut == sum(
            len(a) != len(b) or not np.allclose(a, b) for a, b in zip(cut, base, strict=True)
        )
    assert study.of("plain")[-1].recut > 0


def test_the_share_of_long_utterances_is_said(replay: Replay, study: Overlaps) -> None:
    longer = sum(utterance.duration_s > WINDOW_S for utterance in replay.table.utterances)
    assert 0 < longer < 32
    assert study.longer["plain"] == Longer(WINDOW_S, longer, 32)
    (line,) = share_lines(study)
    assert line.startswith(f"{longer} of 32 test utterances ({100 * longer / 32:.1f} %) are longer")
    assert line.endswith(f"the other {32 - longer} are one window at every overlap.")
    assert overlap_table(study).notes[0] == line
    other = replace(study, longer={**study.longer, "plain": Longer(1.0, 1, 32)})
    assert [each.split(":")[0] for each in share_lines(other)] == ["taught", "plain"]


def test_the_first_overlap_is_the_reference(replay: Replay) -> None:
    study = measure_overlap(replay, (0.2, 0.0, 0.2), ["plain"])
    assert study.overlaps_s == (0.2, 0.0)
    assert study.methods == ("plain",)
    assert [row.verdict == "reference" for row in study.rows] == [True, False]
    assert study.rows[0].recut == 0
    assert "ΔUA to 0.2 s" in overlap_table(study).columns


def test_overlaps_that_change_no_class_say_so(replay: Replay) -> None:
    row = measure_overlap(replay, (0.2, 0.2 - 1e-6), ["plain"]).rows[1]
    assert (row.changed, row.verdict) == (0, SAME)


def test_the_runs_own_overlap_was_met_again(study: Overlaps) -> None:
    assert study.own_overlaps_s == (0.2,)
    assert study.gap < 1e-6
    assert study.seeds == 2


@pytest.mark.parametrize("overlap_s", [-0.1, WINDOW_S, 5.0, float("nan"), float("inf")])
def test_an_overlap_that_leaves_no_hop_is_refused(replay: Replay, overlap_s: float) -> None:
    with pytest.raises(RegistryError, match=r"overlap .* s does not fit taught: .*at least 0 s"):
        measure_overlap(replay, (0.0, overlap_s))
    with pytest.raises(RegistryError, match="at least one overlap"):
        measure_overlap(replay, ())


def test_a_student_that_predicts_otherwise_is_refused(made: Path, tmp_path: Path) -> None:
    for name in ("noise", "run"):
        shutil.copytree(made / name, tmp_path / name)
    replay = open_replay(tmp_path)
    path = replay.students[0].path
    state = safetensors.torch.load(path.read_bytes())
    state["classify.weight"] = -state["classify.weight"]
    path.write_bytes(safetensors.torch.save(state))
    with pytest.raises(StoreError, match="taught/seed-0/outer-1 does not predict what the run"):
        measure_overlap(replay, (0.0,))


def test_progress_is_told_student_by_student(made: Path) -> None:
    told: list[tuple[int, int]] = []

    class Listener(Watcher):
        def advance(self, stage: str, done: int, total: int) -> None:
            if stage == "overlap":
                told.append((done, total))

    measure_overlap(open_replay(made, Listener()), (0.0,), ["plain"])
    assert told == [(done, 8) for done in range(1, 9)]


def test_a_leaky_run_is_refused(tmp_path: Path) -> None:
    make_replayable(tmp_path, name="leaky-early-stopping")
    with pytest.raises(StoreError, match="broken on purpose"):
        measure_overlap(open_replay(tmp_path), (0.0,))


def test_methods_without_windows_are_left_out_and_named(tmp_path: Path) -> None:
    write_shifting(tmp_path / "noise", speakers=2, utterances=2)
    plain = candidate()
    segments = plain.settings.segments.model_copy(update={"cut": "centre"})
    cut = replace(plain, settings=plain.settings.model_copy(update={"segments": segments}))
    plan = run_plan(tmp_path / "noise", method("plain", plain), method("middle", cut))
    run(plan, resources(tmp_path, folder=tmp_path / "run"), Watcher())
    replay = open_replay(tmp_path)
    study = measure_overlap(replay, (0.0, 0.2))
    said = "middle: each utterance is one window, so there is nothing to overlap"
    assert study.methods == ("plain",)
    assert study.notes[-1] == f"Not in this table: {said}."
    with pytest.raises(RegistryError, match=said):
        measure_overlap(replay, (0.0, 0.2), ["middle"])


def test_the_table_says_what_a_reader_must_know(study: Overlaps) -> None:
    shown = show_overlap(study)
    (table,) = shown.tables
    text = " ".join(table.notes)
    for wanted in (share_lines(study)[0], POST_HOC, "Teachers receive whole", "over 2 seeds"):
        assert wanted in text
    assert shown.certificates == (study.certificate,)
    assert [row["overlap_s"] for row in table.records] == [*OVERLAPS_S, *OVERLAPS_S]
    assert [row["windows"] for row in table.records] == [row.windows for row in study.rows]
    assert {row["longer_than_window"] for row in table.records} == {study.longer["plain"].longer}
    assert [row[6].text for row in table.rows] == [
        f"{100 * row.ua.value:.1f}" for row in study.rows
    ]


def test_the_figure_shows_every_score_in_the_runs_colours(study: Overlaps) -> None:
    (figure,) = show_overlap(study).figures
    (panel,) = figure.panels
    assert isinstance(panel.plot, Lines)
    styles = styles_of(("taught", "plain"))
    assert {line.text: line.style for line in panel.plot.lines} == styles
    for line in panel.plot.lines:
        assert list(line.middle) == [100 * row.ua.value for row in study.of(line.text)]
    alone = show_overlap(replace(study, rows=study.of("plain"), longer={"plain": Longer(1, 1, 2)}))
    (line,) = alone.figures[0].panels[0].plot.lines  # pyright: ignore[reportAttributeAccessIssue]
    assert line.style == styles["plain"]


def test_processes_change_nothing(made: Path, study: Overlaps, tmp_path: Path) -> None:
    for name in ("noise", "run"):
        shutil.copytree(made / name, tmp_path / name)
    found = measure_overlap(open_replay(tmp_path), OVERLAPS_S, executor=LocalExecutor(2))
    assert found == replace(study, notes=found.notes)
