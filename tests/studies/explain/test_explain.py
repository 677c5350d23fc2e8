from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from rich.console import Console
from tests_support.readings_maker import corpus, make_run_with_readings
from tests_support.run_maker import LABELS, UNDECLARED, make_run

from serbench.api import StoreError
from serbench.results.figure.figure import Bars, Histogram, Lines
from serbench.running.harness.observer import Observer
from serbench.running.store.finished import load_run
from serbench.running.store.run import RunStore
from serbench.studies.conduct import conduct, marked
from serbench.studies.explain.cases import CaseTally, tally
from serbench.studies.explain.figure import explanation_figure
from serbench.studies.explain.load import Explanation
from serbench.studies.explain.load import load_explanation as explanation_of
from serbench.studies.explain.readings import (
    FitReadings,
    gate_bounds,
    is_fixed,
    mean_over_epochs,
    quartiles_by_epoch,
)
from serbench.studies.explain.show import gate_rows, show_explanation
from serbench.studies.explain.statements import statements
from serbench.studies.explain.study import ExplainParams, ExplainStudy
from serbench.studies.explain.tables import explanation_tables
from serbench.studies.of_run import studies_of
from serbench.studies.opened import Opened

NAN = np.nan


def load_explanation(folder: Path, method: str | None = None) -> Explanation:
    return explanation_of(load_run(folder, folder.name), method)


@contextmanager
def silent(_: object) -> Iterator[Observer]:
    yield Observer()


def conducted(folder: Path, output: Path, **params: Any) -> str:
    """``explain.md``."""
    console = Console(file=io.StringIO())
    conduct(ExplainStudy(), ExplainParams(**params), Opened((folder,)), output, console, silent)
    return (output / "explain.md").read_text()


# ── A run small enough for pencil and paper ──────────────────────────────────────────────────────

BY_HAND: dict[int, dict[str, tuple[list[float], int]]] = {
    1: {
        "09a00": ([0.70, 0.10, 0.10, 0.05, 0.05], 1),  # anger: open, right
        "09a01": ([0.60, 0.20, 0.10, 0.05, 0.05], 0),  # boredom: closed, wrong
        "10a00": ([0.42, 0.28, 0.10, 0.10, 0.10], 0),  # anger: closed, though right
    },
    2: {"11a00": ([0.20, 0.50, 0.10, 0.10, 0.10], 1)},  # anger: open, though wrong
    3: {"09a00": ([0.10, 0.60, 0.10, 0.10, 0.10], 0)},  # anger: closed, wrong
    4: {"09a01": ([0.10, 0.80, 0.05, 0.05, 0.00], 1)},  # boredom: open, right
}
"""By outer fold and utterance: the posterior, and whether the gate is open. a00 is anger, a01
boredom."""


def arrays_by_hand(fold: int, epochs: int = 2) -> dict[str, NDArray[Any]]:
    held = BY_HAND[fold]
    truth = [{"a00": 0, "a01": 1}[each[2:]] for each in held]
    posterior = np.array([row for row, _ in held.values()], dtype=np.float32)
    gamma = 1 - posterior[np.arange(len(held)), truth]
    reliable = np.array([is_open for _, is_open in held.values()], dtype=np.float32)
    once = {"posterior": posterior, "gamma": gamma, "reliable": reliable}
    arrays = {name: np.repeat(array[None], epochs, axis=0) for name, array in once.items()}
    return arrays | {
        "ids": np.array(list(held)),
        "epochs": np.arange(1, epochs + 1),
        "teachers": np.array(["whisper"]),
        "weights": np.ones((epochs, len(held), 1), dtype=np.float32),
    }


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> Explanation:
    folder = make_run(tmp_path_factory.mktemp("hand") / "run", {"akd": 0.7})
    (folder / "utterances.csv").write_text(corpus().assign(pcm_sha256="0").to_csv(index=False))
    for fold in BY_HAND:
        RunStore(folder).write_readings("akd", fold, 0, arrays_by_hand(fold))
    return load_explanation(folder)


def rows_of(explanation: Explanation, name: str, top: int = 20) -> list[tuple[str, ...]]:
    table = next(each for each in explanation_tables(explanation, top) if each.name == name)
    assert all(len(row) == len(table.columns) for row in table.rows)
    return [tuple(cell.text for cell in row) for row in table.rows]


def test_gate_and_teacher_are_counted_as_by_hand(by_hand: Explanation) -> None:
    counts = tally(by_hand.cases)
    assert counts == CaseTally(cases=6, closed=3, wrong=3, closed_wrong=2)
    assert (counts.closed_right, counts.open_wrong, counts.open_right) == (1, 1, 2)
    assert rows_of(by_hand, "gate") == [
        ("all", "6", "2 (33.3 %)", "1 (16.7 %)", "1 (16.7 %)", "2 (33.3 %)"),
        ("outer-1 (tests 03, 08)", "3", "1 (33.3 %)", "1 (33.3 %)", "0 (0.0 %)", "1 (33.3 %)"),
        ("outer-2 (tests 09, 10)", "1", "0 (0.0 %)", "0 (0.0 %)", "1 (100.0 %)", "0 (0.0 %)"),
        ("outer-3 (tests 11, 12)", "1", "1 (100.0 %)", "0 (0.0 %)", "0 (0.0 %)", "0 (0.0 %)"),
        ("outer-4 (tests 13, 14)", "1", "0 (0.0 %)", "0 (0.0 %)", "0 (0.0 %)", "1 (100.0 %)"),
    ]


def test_classes_and_speakers_are_counted_as_by_hand(by_hand: Explanation) -> None:
    assert rows_of(by_hand, "by-class")[:3] == [
        ("anger", "3", "4", "2 (50.0 %)", "1 (50.0 %)", "1 (50.0 %)"),
        ("boredom", "1", "2", "1 (50.0 %)", "1 (100.0 %)", "0 (0.0 %)"),
        ("happiness", "0", "0", "–", "–", "–"),
    ]
    assert rows_of(by_hand, "by-speaker") == [
        ("09", "2", "4", "2 (50.0 %)", "2 (100.0 %)", "0 (0.0 %)"),
        ("10", "1", "1", "1 (100.0 %)", "0 (0.0 %)", "–"),
        ("11", "1", "1", "0 (0.0 %)", "–", "1 (100.0 %)"),
    ]


def test_the_utterances_are_those_of_a_computation_by_hand(by_hand: Explanation) -> None:
    assert rows_of(by_hand, "closed") == [
        ("09a00", "09", "anger", "anger (0.40)", "0.60", "1 of 2 fits"),
        ("10a00", "10", "anger", "anger (0.42)", "0.58", "1 of 1 fits"),
        ("09a01", "09", "boredom", "boredom (0.50)", "0.50", "1 of 2 fits"),
    ]
    assert [row[0] for row in rows_of(by_hand, "closed", top=1)] == ["09a00"]
    table = pd.read_csv(io.StringIO(gate_rows(by_hand)), dtype={"speaker": str})
    assert list(table["utterance"]) == ["11a00", "09a00", "10a00", "09a01"]
    assert set(table["protocol"]) == {"speaker-independent"}
    first = table.iloc[0].to_dict()
    assert first["mean_gamma"] == pytest.approx(0.8)
    assert (first["teacher_says"], first["teacher_wrong"]) == ("boredom", True)
    assert (first["fits"], first["wrong_fits"], first["closed_fits"]) == (1, 1, 0)
    second = table.iloc[1].to_dict()
    assert second["p_teacher_says"] == pytest.approx(0.4)
    assert (second["teacher_says"], second["teacher_wrong"]) == ("anger", False)
    assert (second["fits"], second["wrong_fits"], second["closed_fits"]) == (2, 1, 1)


def test_sentences_say_what_the_counts_say(by_hand: Explanation) -> None:
    text = " ".join(statements(by_hand))
    assert "4 utterances in 4 refits (4 outer folds, 1 seed): 6 cases" in text
    assert "3 of 6 (50.0 %) cases; in these the teacher is wrong in 2 of 3 (66.7 %)" in text
    assert "In the open cases, the teacher is wrong in 1 of 3 (33.3 %)" in text
    assert "open up to γ = 0.800 and closed from γ = 0.580 on" in text
    assert "none is of an utterance that the refit was tested on" in text
    assert "The soft targets are cross-fitted" in text
    assert "whisper is the only teacher, so its weight w is 1 throughout" in text
    assert "The loss records no beta;" in text
    assert "never used in training" not in text


def test_one_teacher_has_no_table_of_weights(by_hand: Explanation) -> None:
    names = [table.name for table in explanation_tables(by_hand, 20)]
    assert names == ["gate", "by-class", "by-speaker", "closed"]


# ── Sums over epochs ─────────────────────────────────────────────────────────────────────────────


def fit_of(arrays: dict[str, list[Any]], epochs: list[int] | None = None) -> FitReadings:
    made = {name: np.array(array, dtype=np.float32) for name, array in arrays.items()}
    length, count = next(iter(made.values())).shape[:2]
    ids = tuple(f"u{n}" for n in range(count))
    numbered = np.array(epochs or range(1, length + 1), dtype=np.int64)
    return FitReadings("outer-1", 0, ids, numbered, ("a", "b"), made)


def test_means_leave_out_epochs_without_the_utterance() -> None:
    array = np.array([[0.2, NAN, NAN], [0.4, 0.6, NAN]], dtype=np.float32)
    np.testing.assert_allclose(mean_over_epochs(array), [0.3, 0.6, NAN], rtol=1e-6)
    deep = np.stack([array, 1 - array], axis=2)
    np.testing.assert_allclose(
        mean_over_epochs(deep), [[0.3, 0.7], [0.6, 0.4], [NAN, NAN]], rtol=1e-6
    )


def test_quartiles_pool_the_fits_that_reached_an_epoch() -> None:
    fits = [
        fit_of({"gamma": [[0.0, 1.0], [NAN, NAN], [0.4, NAN]]}),
        fit_of({"gamma": [[2.0, 3.0, 4.0]]}),
    ]
    epochs, quartiles = quartiles_by_epoch(fits, "gamma")
    assert epochs.tolist() == [1, 3]
    np.testing.assert_allclose(quartiles, [[1.0, 2.0, 3.0], [0.4, 0.4, 0.4]], rtol=1e-6)
    chosen = [np.array([True, False]), np.array([False, False, True])]
    epochs, quartiles = quartiles_by_epoch(fits, "gamma", chosen=chosen)
    np.testing.assert_allclose(quartiles[0], [1.0, 2.0, 3.0], rtol=1e-6)  # of 0 and 4
    nobody = [np.zeros(2, dtype=bool), np.zeros(3, dtype=bool)]
    assert quartiles_by_epoch(fits, "gamma", chosen=nobody)[1].shape == (0, 3)


def test_a_reading_is_fixed_if_no_utterance_moves() -> None:
    still = fit_of({"gamma": [[0.2, 0.9], [0.2, NAN]], "beta": [[0.2, NAN], [0.2, NAN]]})
    assert is_fixed([still], "gamma")
    assert is_fixed([still], "beta")
    assert not is_fixed([still, fit_of({"gamma": [[0.2], [0.25]]})], "gamma")


def test_bounds_of_a_gate_that_is_never_closed() -> None:
    fit = fit_of({"gamma": [[0.2, 0.4, NAN]], "reliable": [[1, 1, NAN]]})
    assert gate_bounds([fit]) == (pytest.approx(0.4), None)


def test_a_case_is_closed_in_more_than_half_of_its_epochs(tmp_path: Path) -> None:
    reliable = np.ones((4, 120), dtype=np.float32)
    reliable[:2, 0], reliable[:3, 1], reliable[0, 2], reliable[1:, 2] = 0, 0, 0, NAN
    folder = make_run_with_readings(tmp_path / "run", epochs=4, changes={"reliable": reliable})
    cases = load_explanation(folder).cases
    own = cases[cases["fold"] == "outer-1"]
    assert list(own["closed"][:4]) == [False, True, True, False]


def test_utterances_that_never_came_up_are_no_cases(tmp_path: Path) -> None:
    folder = make_run_with_readings(tmp_path / "run")
    store = RunStore(folder)
    arrays = store.read_readings("akd", 2, 0)
    for name in ("weights", "posterior", "gamma", "reliable", "beta"):
        arrays[name][:, 5:8] = NAN
    store.write_readings("akd", 2, 0, arrays)
    explanation = load_explanation(folder)
    assert len(explanation.cases) == 4 * 120 - 3
    assert "3 more cases were never used in training" in " ".join(statements(explanation))


# ── Several teachers and seeds ───────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Explanation:
    place = tmp_path_factory.mktemp("three") / "run"
    return load_explanation(make_run_with_readings(place, teachers=3, epochs=5, seeds=2))


def plain_cases(folder: Path) -> list[dict[str, Any]]:
    """Cases in loops of plain Python, from the stored files."""
    truth = corpus().set_index("utterance")["label"].to_dict()
    found = []
    for path in sorted((folder / "readings" / "akd").glob("*.npz")):
        with np.load(path) as archive:
            held = dict(archive)
        for n, utterance in enumerate(held["ids"]):
            epochs = [e for e in range(len(held["epochs"])) if not np.isnan(held["gamma"][e, n])]
            posterior = [
                sum(float(held["posterior"][e, n, c]) for e in epochs) / len(epochs)
                for c in range(len(LABELS))
            ]
            closed = sum(held["reliable"][e, n] == 0 for e in epochs)
            found.append(
                {
                    "utterance": str(utterance),
                    "label": truth[str(utterance)],
                    "gamma": sum(float(held["gamma"][e, n]) for e in epochs) / len(epochs),
                    "closed": closed > len(epochs) / 2,
                    "wrong": LABELS[int(np.argmax(posterior))] != truth[str(utterance)],
                    "weights": [held["weights"][e, n] for e in (0, -1)],
                }
            )
    return found


def test_cases_are_those_of_plain_loops(three: Explanation) -> None:
    plain = plain_cases(three.run.folder)
    assert len(plain) == 4 * 2 * 120
    counts = tally(three.cases)
    assert counts.closed == sum(case["closed"] for case in plain)
    assert counts.wrong == sum(case["wrong"] for case in plain)
    assert counts.closed_wrong == sum(case["closed"] and case["wrong"] for case in plain)
    table = pd.read_csv(io.StringIO(gate_rows(three))).set_index("utterance")
    for utterance in ("03a00", "08a07", "14a19"):
        own = [case for case in plain if case["utterance"] == utterance]
        row = table.loc[utterance]
        assert row["fits"] == len(own) == 6
        assert row["mean_gamma"] == pytest.approx(np.mean([c["gamma"] for c in own]), abs=1e-6)
        assert row["closed_fits"] == sum(case["closed"] for case in own)
        assert row["wrong_fits"] == sum(case["wrong"] for case in own)
    assert table["mean_gamma"].is_monotonic_decreasing


def test_weights_are_means_of_the_first_and_the_last_epoch(three: Explanation) -> None:
    plain = plain_cases(three.run.folder)
    rows = rows_of(three, "weights")
    assert [row[0] for row in rows] == ["all", *LABELS]
    for row in rows:
        own = [case for case in plain if row[0] in ("all", case["label"])]
        for teacher in range(3):
            means = [np.nanmean([case["weights"][e][teacher] for case in own]) for e in (0, 1)]
            assert row[1 + teacher] == f"{means[0]:.2f} → {means[1]:.2f}"
    assert rows[0][1].startswith("0.33 → 0.")
    text = " ".join(statements(three))
    assert "“The teacher” means all teachers together" in text
    assert "only teacher" not in text


# ── What a loss may leave out or add ─────────────────────────────────────────────────────────────

GATE = ["gate", "by-class", "by-speaker", "closed"]


@pytest.mark.parametrize(
    ("gone", "tables"),
    [
        (("gamma", "beta", "weights", "teachers"), GATE),
        (("posterior",), ["by-class", "by-speaker", "closed"]),
        (("reliable", "gamma", "beta"), ["by-class", "by-speaker"]),
        (("reliable", "posterior"), []),
        (("reliable", "posterior", "gamma", "weights"), []),
    ],
)
def test_absent_readings_take_only_what_needs_them(
    tmp_path: Path, gone: tuple[str, ...], tables: list[str]
) -> None:
    folder = make_run_with_readings(tmp_path / "run", epochs=3, changes=dict.fromkeys(gone))
    explanation = load_explanation(folder)
    assert [table.name for table in explanation_tables(explanation, 20)] == tables
    for name in tables:
        assert rows_of(explanation, name)
    known = ("gamma", "beta", "reliable", "weights", "posterior")
    said = ", no ".join(name for name in known if name in gone)
    line = f"The loss records no {said}; figures and tables that need it are left out."
    assert line in statements(explanation)
    conducted(folder, tmp_path / "out")
    assert (tmp_path / "out" / "explain.png").read_bytes().startswith(b"\x89PNG")
    assert "utterance" in (tmp_path / "out" / "gate.csv").read_text()
    assert (tmp_path / "out" / "explain.csv").is_file() == bool(tables)


def test_other_readings_are_drawn_or_named(tmp_path: Path) -> None:
    margin = np.linspace(2, 7, 3 * 120, dtype=np.float32).reshape(3, 120)
    gone = dict.fromkeys(("gamma", "beta", "reliable", "weights", "posterior"))
    changes = {**gone, "margin": margin, "norm": margin[:1].repeat(3, axis=0)}
    changes["codes"] = np.zeros((3, 120, 4), dtype=np.float32)
    folder = make_run_with_readings(tmp_path / "run", epochs=3, changes=changes)
    explanation = load_explanation(folder)
    assert headings(explanation) == [
        "margin over training: median and quartiles over cases",
        "norm does not change over epochs: its distribution",
    ]
    assert "several numbers for each utterance: codes." in statements(explanation)[-1]
    table = pd.read_csv(io.StringIO(gate_rows(explanation)))
    assert {"mean_margin", "mean_norm"} <= set(table.columns)
    assert np.min(table["mean_margin"]) >= 2


def test_readings_that_cannot_be_shown_are_named(tmp_path: Path) -> None:
    gone: dict[str, None] = dict.fromkeys(("gamma", "beta", "reliable", "posterior"))
    folder = make_run_with_readings(tmp_path / "run", changes=gone)
    with pytest.raises(StoreError, match="contain nothing that this command can show: weights"):
        load_explanation(folder)


# ── The page and the figure ──────────────────────────────────────────────────────────────────────


def headings(explanation: Explanation) -> list[str]:
    return [panel.heading for panel in explanation_figure(explanation).panels]


def test_a_fixed_gate_is_shown_as_a_distribution(tmp_path: Path) -> None:
    explanation = load_explanation(make_run_with_readings(tmp_path / "run"))
    assert headings(explanation) == [
        "γ does not change over epochs: its distribution",
        "β does not change over epochs: its distribution",
        "Where the gate closes, by true class",
    ]
    gamma, _, classes = explanation_figure(explanation).panels
    assert isinstance(gamma.plot, Histogram)
    counts = tally(explanation.cases)
    assert {group.text: sum(group.counts) for group in gamma.plot.groups} == {
        "teacher right": counts.cases - counts.wrong,
        "teacher wrong": counts.wrong,
    }
    assert f"teacher wrong: {counts.wrong} cases" in gamma.description
    anger = explanation.cases[explanation.cases["label"] == "anger"]
    assert isinstance(classes.plot, Bars)
    first = classes.plot.groups[0]
    assert first.said == f"{np.count_nonzero(anger['closed'])} of {len(anger)}"
    assert sum(bar.value for bar in first.parts) == pytest.approx(100 * anger["closed"].mean())


def test_a_flat_curve_is_a_number(tmp_path: Path) -> None:
    def flat(name: str, value: float) -> list[str]:
        size = (6, 120)
        noise = np.linspace(0, 0.008, 6, dtype=np.float32)[:, None]
        arrays = {name: np.full(size, value, dtype=np.float32) + noise}
        run = make_run_with_readings(tmp_path / name, teachers=2, changes=arrays)
        figure = explanation_figure(load_explanation(run))
        assert not [panel.heading for panel in figure.panels if panel.heading.startswith("β")]
        return list(figure.notes)

    assert flat("beta", 0.9)[0] == (
        "β hardly changes over training: median 0.904, quartiles 0.904 to 0.904."
    )


def test_a_reading_that_is_one_number_is_not_drawn(tmp_path: Path) -> None:
    arrays = {"beta": np.ones((6, 120), dtype=np.float32)}
    run = make_run_with_readings(tmp_path / "run", changes=arrays)
    figure = explanation_figure(load_explanation(run))
    assert figure.notes[0] == "β is 1 for all cases, in every epoch."
    assert [panel.heading[:1] for panel in figure.panels] == ["γ", "W"]


def test_a_moving_gate_is_shown_over_epochs(three: Explanation) -> None:
    assert headings(three) == [
        "γ over training: median and quartiles over cases",
        "β over training: median and quartiles over cases",
        "Weight of each teacher over training: mean and quartiles",
        "The gate over training: mean, and lowest to highest refit",
        "Where the gate closes, by true class",
    ]
    figure = explanation_figure(three)
    plots = [panel.plot for panel in figure.panels if isinstance(panel.plot, Lines)]
    everyone, _ = plots[0].lines
    first = np.concatenate([fit.arrays["gamma"][0] for fit in three.fits])
    assert everyone.x == (1, 2, 3, 4, 5)
    assert everyone.middle[0] == pytest.approx(np.nanmedian(first))
    last = np.concatenate([fit.arrays["weights"][-1, :, 0] for fit in three.fits])
    weights = next(line for line in plots[2].lines if line.text == "teacher-1")
    assert weights.middle[-1] == pytest.approx(np.nanmean(last), rel=1e-5)
    shares = [100 * np.mean(fit.arrays["reliable"][0] == 0) for fit in three.fits]
    (gate,) = plots[3].lines
    assert (gate.low[0], gate.high[0]) == pytest.approx((min(shares), max(shares)))
    assert figure.caption == "How far akd trusts its teachers on emodb"
    assert len({key.style for key in figure.legend}) == len(figure.legend)
    assert figure.numbers is not None
    assert len(figure.numbers.sections) == 2 + 2 + 3 + 1


def test_the_page_holds_tables_figure_and_rows(by_hand: Explanation, tmp_path: Path) -> None:
    text = conducted(by_hand.run.folder, tmp_path / "out")
    assert {each.name for each in (tmp_path / "out").iterdir()} == {
        *(f"explain.{suffix}" for suffix in ("md", "csv", "tex", "html", "png")),
        "gate.csv", "study.json",
    }  # fmt: skip
    assert text.startswith("# How far akd trusts its teacher on emodb\n")
    assert "](explain.png)" in text
    assert "[gate.csv](gate.csv)" in text
    assert "| 09a00 | 09 | anger | anger (0.40) | 0.60 | 1 of 2 fits |" in text
    for statement in statements(by_hand):
        assert f"- {statement}\n" in text
    assert "\n\n\n" not in text
    rows = pd.read_csv(tmp_path / "out" / "explain.csv")
    assert rows.loc[0, ["cases", "closed_wrong", "open_right"]].tolist() == [6, 2, 2]


def test_a_leaky_run_is_marked_everywhere(tmp_path: Path) -> None:
    folder = make_run_with_readings(
        tmp_path / "run", protocol="leaky-normaliser", teachers=1, epochs=2
    )
    explanation = load_explanation(folder)
    page = conducted(folder, tmp_path / "out", top=5)
    mark = "LEAKY PROTOCOL leaky-normaliser: broken on purpose, not for comparison"
    assert page.startswith(f"# {mark}. How far akd trusts")
    assert page.count(f"**{mark}. ") == len([*explanation_tables(explanation, 5)])
    assert marked(show_explanation(explanation, 5)).figures[0].alarm.startswith("LEAKY PROTOCOL")
    rows = (tmp_path / "out" / "gate.csv").read_text().splitlines()[1:]
    assert all(row.startswith("leaky-normaliser,") for row in rows)


def test_doubtful_teachers_are_named(tmp_path: Path) -> None:
    folder = make_run_with_readings(tmp_path / "run")
    make_run(tmp_path / "doubtful", {"akd": 0.7}, teachers=(UNDECLARED,))
    held = (tmp_path / "doubtful" / "certificate.json").read_text()
    (folder / "certificate.json").write_text(held)
    shown = marked(show_explanation(load_explanation(folder), 5))
    for part in (*shown.tables, *shown.figures):
        assert any("Teacher whisper-base: its training corpora" in line for line in part.warnings)


# ── What a page shows without being asked ────────────────────────────────────────────────────────


def test_each_method_with_readings_has_a_section(tmp_path: Path) -> None:
    folder = make_run_with_readings(tmp_path / "run", ("akd", "plain"), teachers=2, epochs=4)
    run = load_run(folder, "run")
    conducted(folder, folder / "explain", method="akd")
    records = studies_of([run]).records
    assert [each.title for each in records] == [
        "Trust in teachers: akd", "Trust in teachers: plain",
    ]  # fmt: skip
    for record in records:
        assert (record.runs, record.study) == (("run",), "explain")
        assert record.lines
        assert len(record.tables[3].rows) <= 10
        names = [each.name for each in (*record.figures, *record.tables)]
        assert len(set(names)) == len(names)


def test_readings_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    folder = make_run_with_readings(tmp_path / "run", seeds=2)
    broken = next((folder / "readings").rglob("outer-2-seed-1.npz"))
    broken.unlink()
    (record,) = studies_of([load_run(folder, "run")]).records
    assert broken.name in record.lines[0]
    assert not record.figures


# ── Wrong input ──────────────────────────────────────────────────────────────────────────────────


def change_plan(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "plan.json"
    plan = json.loads(path.read_text())
    change(plan)
    path.write_text(json.dumps(plan))


def test_in_sample_targets_are_told(tmp_path: Path) -> None:
    folder = make_run_with_readings(tmp_path / "run")

    def in_sample(plan: dict[str, Any]) -> None:
        plan["methods"][0]["settings"]["head"]["soft_targets"] = "in-sample"

    change_plan(folder, in_sample)
    text = " ".join(statements(load_explanation(folder)))
    assert "in-sample: the teacher's head was fitted on these labels" in text
    assert "cross-fitted" not in text


def test_the_method_must_be_one_of_the_run(tmp_path: Path) -> None:
    folder = make_run_with_readings(tmp_path / "two", ("akd", "akd-soft"))
    with pytest.raises(StoreError, match=r"has no method akd-sof; did you mean akd-soft\? It has"):
        load_explanation(folder, "akd-sof")
    with pytest.raises(StoreError, match="methods of two have readings: akd, akd-soft; choose one"):
        load_explanation(folder)
    assert load_explanation(folder, "akd-soft").method == "akd-soft"


def test_a_method_without_readings_is_told_why(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {"akd": 0.7, "hybrid": 0.5})
    with pytest.raises(StoreError, match="run has no readings: its loss records none, or an older"):
        load_explanation(folder)
    with pytest.raises(StoreError, match="method hybrid of run has no readings"):
        load_explanation(folder, "hybrid")

    def untaught(plan: dict[str, Any]) -> None:
        plan["methods"][1]["teachers"] = []

    change_plan(folder, untaught)
    with pytest.raises(StoreError, match="method hybrid of run learns without a teacher"):
        load_explanation(folder, "hybrid")
    change_plan(folder, lambda plan: plan["methods"].pop(0))
    with pytest.raises(StoreError, match=r"^run learns without a teacher"):
        load_explanation(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ids": None, "epochs": None}, "outer-1-seed-0.npz has no array ids and no epochs"),
        ({"gamma": np.zeros((6, 119))}, r"gamma is of shape \(6, 119\), not \(6, 120\)"),
        ({"gamma": np.zeros((6, 120, 2))}, r"gamma is of shape \(6, 120, 2\), not \(6, 120\)"),
        ({"weights": np.zeros((6, 120, 2))}, r"\(6, 120, 2\), not \(6, 120, 1\)"),
        ({"posterior": np.zeros((6, 120, 4))}, r"\(6, 120, 4\), not \(6, 120, 5\)"),
        ({"other": np.zeros(6)}, r"other is of shape \(6,\), not \(6, 120\)"),
        ({"beta": np.full((6, 120), NAN)}, r"beta contains no numbers; check the loss"),
        ({"ids": np.array(["09a00"] * 120)}, "has no epoch, or an utterance twice"),
        ({"ids": np.array([f"u{n}" for n in range(120)])}, "belongs to another run: u0 is not in"),
        (
            {"ids": np.array(list(corpus()["utterance"])[:120])},
            r"readings of 40 utterances that outer-1 tests, such as 03a00: a test side was trained",
        ),
    ],
)
def test_readings_that_cannot_be_are_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    folder = make_run_with_readings(tmp_path / "run", changes=changes)
    with pytest.raises(StoreError, match=said):
        load_explanation(folder)


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    folder = make_run_with_readings(tmp_path / "run")
    store = RunStore(folder)
    store.write_readings(
        "akd", 3, 0, {n: a for n, a in store.read_readings("akd", 3, 0).items() if n != "beta"}
    )
    with pytest.raises(StoreError, match=r"akd differ between outer-1 and outer-3"):
        load_explanation(folder)
    path = store.readings_path("akd", 3, 0)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(StoreError, match=r"outer-3-seed-0\.npz is damaged"):
        load_explanation(folder)
    path.unlink()
    with pytest.raises(StoreError, match=r"has no outer-3-seed-0\.npz"):
        load_explanation(folder)
    (folder / "utterances.csv").write_text("utterance,fold,label\n")
    with pytest.raises(StoreError, match=r"utterances\.csv is damaged .*no column speaker"):
        load_explanation(folder)
    (folder / "utterances.csv").write_text("")
    with pytest.raises(StoreError, match=r"utterances\.csv is damaged"):
        load_explanation(folder)
    (folder / "utterances.csv").unlink()
    with pytest.raises(StoreError, match=r"has no utterances\.csv"):
        load_explanation(folder)
