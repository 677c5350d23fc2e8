"""From a finished run to the table and the figure; what is cached, what is refused."""

from __future__ import annotations

import json
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
from tests_support.replays import make_replayable, open_replay
from tests_support.runs import LinearStudent, Watcher, candidate, method, resources, run_plan
from tests_support.tables import Noise, write_noise

from serbench.api import StoreError
from serbench.results.compare.methods import comparison
from serbench.results.figure.figure import Lines
from serbench.results.figure.palette import styles_of
from serbench.running.executors.local import LocalExecutor
from serbench.running.harness.observer import Observer
from serbench.running.harness.run import run
from serbench.running.replay.run import Replay
from serbench.studies.robustness import students as students_module
from serbench.studies.robustness import teachers as teachers_module
from serbench.studies.robustness.conditions import CLEAN, Condition, choose_conditions
from serbench.studies.robustness.measure import Robustness, measure_robustness
from serbench.studies.robustness.show import (
    notes,
    robustness_figure,
    robustness_table,
    show_robustness,
)
from serbench_backends.torch import TorchBackend
from serbench_baselines.ce import CrossEntropy
from serbench_baselines.kd import Distillation, DistillationParams
from serbench_front_ends.log_mel import LogMel
from serbench_teachers.functionals import Functionals

INSTALLED: dict[str, Any] = {
    "noise": Noise, "linear": LinearStudent, "kd": Distillation, "ce": CrossEntropy,
    "torch": TorchBackend, "functionals": Functionals, "log-mel": LogMel,
}  # fmt: skip

ASKED = ("white@20", "white@0", "babble@0", "gain@10", "8khz", "room@0.3")
TEACHER = "teacher:functionals"


class Installed:
    """Stands for the installed plugins."""

    def get(self, kind: str, name: str) -> Any:
        return INSTALLED[name]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, and a run of two methods with a teacher and two seeds."""
    root = tmp_path_factory.mktemp("robustness")
    write_noise(root / "noise", speakers=4, utterances=3)
    loss = Distillation(DistillationParams())
    plan = run_plan(root / "noise", method("taught", candidate(loss=loss)), method("plain"),
                    seeds=2)  # fmt: skip
    run(plan, resources(root, folder=root / "run"), Watcher())
    return root


def opened(root: Path, folder: str = "run", watch: Observer | None = None) -> Replay:
    return Replay.open(
        root / folder,
        SimpleNamespace(datasets={}, teachers={}),  # pyright: ignore[reportArgumentType]
        Installed(),  # pyright: ignore[reportArgumentType]
        data_dir=root / "noise",
        cache=root / "cache",
        watch=watch or Observer(),
    )


@pytest.fixture(scope="module")
def found(made: Path) -> Robustness:
    return measure_robustness(opened(made), choose_conditions(ASKED))


def test_clean_scores_are_those_of_the_report(made: Path, found: Robustness) -> None:
    predictions = pd.read_parquet(made / "run" / "predictions.parquet")
    assert found.methods == ("taught", "plain", TEACHER)
    for result in comparison(predictions, ["high", "low"], found.methods).methods:
        assert found.scores[CLEAN, result.method].ua == result.pooled["ua"]
        own, expected = found.scores[CLEAN, result.method].difference, result.difference
        assert (own is None) == (expected is None)
        if own is not None and expected is not None:
            assert own == replace(expected, significance=None)


def test_every_condition_is_scored_and_loud_noise_hurts(found: Robustness) -> None:
    assert [each.name for each in found.conditions] == ["clean", *ASKED]
    assert len(found.scores) == 7 * 3
    for method_ in found.methods:
        clean = found.scores[CLEAN, method_].ua.value
        assert found.scores[Condition("white", 0.0), method_].ua.value < clean
        expected = np.mean([found.scores[each, method_].ua.value for each in found.noises])
        assert found.mean[method_].ua.value == pytest.approx(expected)
        assert found.mean[method_].ua.low <= expected <= found.mean[method_].ua.high
    assert [each.name for each in found.noises] == ["white@20", "white@0", "babble@0"]
    assert found.mean["taught"].difference is None
    difference = found.mean["plain"].difference
    assert difference is not None
    expected = found.mean["plain"].ua.value - found.mean["taught"].ua.value
    assert difference.value == pytest.approx(expected)


def test_clipping_is_that_of_the_recordings(made: Path, found: Robustness) -> None:
    from serbench_runtime.audio.read import read_waveform

    factor = np.float32(10**0.5)
    counts = [
        int((np.abs(read_waveform(path) * factor) > 1).sum())
        for path in (made / "noise").glob("*.wav")
    ]
    assert found.clipped[Condition("gain", 10.0)] == (sum(counts), sum(map(bool, counts)))
    assert found.clipped[CLEAN] == (0, 0)
    assert sum(counts) > 0


def test_a_second_command_hears_nothing_again(
    made: Path, found: Robustness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_: object) -> None:
        raise AssertionError("heard again")

    monkeypatch.setattr(students_module, "perturb", nothing)
    monkeypatch.setattr(teachers_module, "perturb", nothing)
    again = measure_robustness(opened(made), choose_conditions(ASKED))
    assert again.scores == found.scores
    assert again.clipped == found.clipped


def test_other_weights_of_a_front_end_are_heard_anew(
    made: Path, found: Robustness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("heard again")

    monkeypatch.setattr(students_module, "hear_fold", refused)
    monkeypatch.setattr(LogMel, "model_digest", "1" * 64)
    with pytest.raises(AssertionError, match="heard again"):
        measure_robustness(opened(made), choose_conditions(ASKED))


def test_a_stopped_command_goes_on(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("noise", "run"):
        shutil.copytree(made / name, tmp_path / name)
    heard: list[str] = []
    real = students_module.perturb

    def stopping(utterance: Any, condition: Condition, voices: Any) -> Any:
        if len(heard) == 40:
            raise KeyboardInterrupt
        heard.append(f"{utterance.id} {condition.name}")
        return real(utterance, condition, voices)

    asked = choose_conditions(["white@0"])
    monkeypatch.setattr(students_module, "perturb", stopping)
    with pytest.raises(KeyboardInterrupt):
        measure_robustness(opened(tmp_path), asked)
    before, heard[:] = list(heard), []
    watch = Progress()
    measure_robustness(opened(tmp_path, watch=watch), asked)
    done = before[: 40 // 6 * 6]  # whole folds of six utterances
    assert not set(done) & set(heard)
    assert len(done) + len(heard) == 2 * 24
    stage = [each[1:] for each in watch.told if each[0] == "students on clean audio"]
    assert (stage[0], stage[-1]) == ((16, 16), (16, 16))
    stage = [each[1:] for each in watch.told if each[0] == "students under conditions"]
    assert (stage[0], stage[-1]) == ((16 + 4 * (len(done) // 6 - 4), 32), (32, 32))
    teacher = [each[1:] for each in watch.told if "functionals under" in each[0]]
    assert teacher[-1][0] == teacher[-1][1] > 0
    assert teacher == sorted(teacher)


class Progress(Observer):
    def __init__(self) -> None:
        self.told: list[tuple[str, int, int]] = []

    def advance(self, stage: str, done: int, total: int) -> None:
        self.told.append((stage, done, total))


def test_what_is_sent_to_another_process_finds_the_same(
    made: Path, tmp_path: Path, found: Robustness
) -> None:
    for name in ("noise", "run"):
        shutil.copytree(made / name, tmp_path / name)
    sent: list[int] = []

    class Elsewhere(LocalExecutor):
        def each_call(
            self, function: Callable[[Any], Any], items: Sequence[Any]
        ) -> Iterator[tuple[int, Any]]:
            for position, job in enumerate(items):
                packed = pickle.dumps((function, job))
                sent.append(len(packed))
                away, item = pickle.loads(packed)
                yield position, away(item)

    there = measure_robustness(
        opened(tmp_path), choose_conditions(["babble@0"]), executor=Elsewhere()
    )
    assert there.scores == {place: found.scores[place] for place in there.scores}
    assert len(sent) == 2 * 4
    assert max(sent) < 30_000  # no waveforms and no weights


def test_a_method_can_be_named_and_is_then_the_first(made: Path, found: Robustness) -> None:
    alone = measure_robustness(opened(made), choose_conditions(["8khz"]), ["plain"])
    assert alone.methods == ("plain", TEACHER)
    eight = Condition("8khz")
    assert alone.scores[eight, "plain"].ua == found.scores[eight, "plain"].ua
    assert alone.scores[eight, "plain"].difference is None


# Outputs


def test_the_table_says_all_that_a_reader_must_know(found: Robustness) -> None:
    shown = show_robustness(found)
    (table,) = shown.tables
    text = " ".join((*table.notes, *table.warnings, *table.columns, table.rows[-1][0].text))
    for said in (
        "Post hoc:", "SNR is relative to the power", "Babble: 4 equally loud talkers",
        "Rooms are synthetic", "are clipped at full scale", "mean of the 3 noises and SNRs",
        "functionals (teacher)", "Δ to taught", "2 seeds",
    ):  # fmt: skip
        assert said in text
    assert shown.certificates == (found.certificate,)
    headings = [section.heading.partition(",")[0] for section in table.sections]
    assert headings == [
        "", "White noise", "Babble of 4 talkers", "Gain", "Band", "Room", "Summary"
    ]  # fmt: skip


def test_the_csv_holds_every_number(found: Robustness) -> None:
    data = pd.DataFrame(robustness_table(found).records)
    assert len(data) == (7 + 1) * 3
    assert list(data["condition"].unique()) == ["clean", *ASKED, "mean"]
    row = data.query("condition == 'white@0' and method == 'plain'").iloc[0]
    score = found.scores[Condition("white", 0.0), "plain"]
    assert score.difference is not None
    assert (row["ua"], row["delta_ua"]) == (score.ua.value, score.difference.value)
    assert (row["level"], row["family"]) == (0.0, "white")
    assert set(data["protocol"]) == {"speaker-independent"}


def test_the_figure_has_a_panel_for_each_noise_and_one_for_the_rest(found: Robustness) -> None:
    figure = robustness_figure(found)
    assert [panel.heading for panel in figure.panels] == [
        "White noise", "Babble", "Level, band, rooms"
    ]  # fmt: skip
    plot = figure.panels[0].plot
    assert isinstance(plot, Lines)
    taught = [100 * found.scores[each, "taught"].ua.value for each in found.conditions[:3]]
    assert list(plot.lines[0].middle) == taught
    assert [line.text for line in plot.lines] == ["taught", "plain", "functionals (teacher)"]
    assert [line.style for line in plot.lines] == list(
        styles_of(("taught", "plain", TEACHER)).values()
    )
    assert [each.text for each in plot.references] == ["chance"]


def part(found: Robustness, *names: str) -> Robustness:
    kept = tuple(each for each in found.conditions if each.name in names)
    return replace(found, conditions=kept, mean={})


@pytest.mark.parametrize(
    ("names", "panels"),
    [
        (["clean"], ["Level, band, rooms"]),
        (["clean", "white@0"], ["White noise"]),
        (["clean", "8khz"], ["Level, band, rooms"]),
    ],
)
def test_the_figure_shows_what_there_is(
    found: Robustness, names: Sequence[str], panels: Sequence[str]
) -> None:
    figure = robustness_figure(part(found, *names))
    assert [panel.heading for panel in figure.panels] == panels


def test_silent_utterances_are_told(found: Robustness) -> None:
    assert not any("silent" in line for line in notes(found))
    assert "3 utterances are silent: no noise was added to them." in notes(replace(found, silent=3))


# Wrong input


def test_other_predictions_than_the_stored_are_refused(made: Path, found: Robustness) -> None:
    replay = opened(made)
    rows = replay.run.predictions
    for who, said in (
        ("plain", "plain/seed-0/outer-1 does not predict what the run has stored"),
        (TEACHER, "teacher functionals, outer fold 1, does not reproduce the run's"),
    ):
        before = rows.copy()
        rows.loc[rows["method"] == who, "p_high"] += 0.01
        with pytest.raises(StoreError, match=said):
            measure_robustness(replay, [CLEAN])
        rows[:] = before


def test_an_unknown_method_and_a_missing_student_are_named(made: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no student of nobody; its methods: taught, plain"):
        measure_robustness(opened(made), [CLEAN], ["nobody"])
    for name in ("noise", "run"):
        shutil.copytree(made / name, tmp_path / name)
    shutil.copytree(made / "cache", tmp_path / "cache")
    fits = list((tmp_path / "run" / "fits").glob("*.json"))
    gone = next(
        path for path in fits
        if (kept := json.loads(path.read_text()))["method"] == "plain"
        and (kept["outer"], kept["seed"]) == (2, 1)
    )  # fmt: skip
    gone.unlink()
    with pytest.raises(StoreError, match="student of plain, outer fold 2, seed 1; run the same"):
        measure_robustness(opened(tmp_path), [CLEAN])


def test_a_leaky_run_is_refused(tmp_path: Path) -> None:
    make_replayable(tmp_path, name="leaky-early-stopping")
    with pytest.raises(StoreError, match="broken on purpose"):
        measure_robustness(open_replay(tmp_path), [CLEAN])
