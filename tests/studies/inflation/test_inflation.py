from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from tests_support.run_maker import BROKEN, FOLDS, UNDECLARED, make_run

from serbench.api import StoreError
from serbench.results.compare.intervals import REPEATS, expanded_levels
from serbench.results.figure.figure import Forest
from serbench.results.report.marks import LEAKS
from serbench.results.report.results import load_results
from serbench.results.table.console import console_table
from serbench.running.harness.observer import Observer
from serbench.settings import PROPER, ProtocolName
from serbench.studies.conduct import conduct, marked
from serbench.studies.inflation.measure import Inflation, load_inflation
from serbench.studies.inflation.show import show_inflation
from serbench.studies.inflation.study import InflationParams, InflationStudy
from serbench.studies.opened import Opened

SKILL = {"akd": 0.7, "k_d": 0.4, "teacher:w|b": 0.6}
INFLATED = {"akd": 0.9, "k_d": 0.6, "teacher:w|b": 0.95}
SPEAKERS = [unit for units in FOLDS for unit in units]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[ProtocolName, Path]:
    place = tmp_path_factory.mktemp("runs")
    found: dict[ProtocolName, Path] = {PROPER: make_run(place / PROPER, SKILL)}
    for name in BROKEN:
        found[name] = make_run(place / name, INFLATED, protocol=name)
    return found


@pytest.fixture(scope="module")
def inflation(runs: dict[ProtocolName, Path]) -> Inflation:
    return load_inflation(list(runs.values()))


def make_pair(
    place: Path, protocol: ProtocolName, skill: tuple[float, float] = (0.7, 0.7), **options: Any
) -> list[Path]:
    """A proper run and a leaky one of the method ``akd``."""
    pairs: tuple[tuple[ProtocolName, float], ...] = ((PROPER, skill[0]), (protocol, skill[1]))
    return [
        make_run(place / name, {"akd": chance}, protocol=name, **options) for name, chance in pairs
    ]


def metric_by_hand(rows: list[tuple[str, str]], metric: str) -> float:
    """WA, or UA, of (label, predicted) pairs, written from the definition."""
    if metric == "wa":
        return sum(label == predicted for label, predicted in rows) / len(rows)
    recalls = []
    for wanted in {label for label, _ in rows}:
        own = [predicted for label, predicted in rows if label == wanted]
        recalls.append(sum(predicted == wanted for predicted in own) / len(own))
    return sum(recalls) / len(recalls)


def rows_by_speaker(folder: Path, method: str) -> dict[str, list[tuple[str, str]]]:
    table = pd.read_parquet(folder / "predictions.parquet")
    own = table[table["method"] == method]
    return {
        speaker: list(zip(part["label"], part["predicted"], strict=True))
        for speaker, part in own.groupby("speaker")  # pyright: ignore[reportReturnType]
    }


@pytest.mark.parametrize("method", ["akd", "teacher:w|b"])
@pytest.mark.parametrize("metric", ["ua", "wa"])
def test_inflation_is_what_a_computation_by_hand_gives(
    runs: dict[ProtocolName, Path], method: str, metric: str
) -> None:
    protocol: ProtocolName = "leaky-random"
    found = load_inflation([runs[protocol], runs[PROPER]])
    proper, leaky = (rows_by_speaker(runs[each], method) for each in (PROPER, protocol))
    draws = np.random.default_rng(0).multinomial(8, np.full(8, 1 / 8), REPEATS)
    differences = []
    for times in draws[:200]:
        drawn = [s for s, n in zip(SPEAKERS, times, strict=True) for _ in range(n)]
        pair = (
            metric_by_hand([row for s in drawn for row in side[s]], metric)
            for side in (leaky, proper)
        )
        differences.append(next(pair) - next(pair))
    score = found.scores[method, protocol]
    everyone = [
        metric_by_hand([row for rows in side.values() for row in rows], metric)
        for side in (proper, leaky)
    ]
    assert found.scores[method, PROPER].pooled[metric].value == pytest.approx(everyone[0])  # pyright: ignore[reportArgumentType]
    assert score.pooled[metric].value == pytest.approx(everyone[1])  # pyright: ignore[reportArgumentType]
    estimate = score.inflation[metric]  # pyright: ignore[reportArgumentType]
    assert estimate.value == pytest.approx(everyone[1] - everyone[0])
    low, high = np.percentile(_vectorised(proper, leaky, metric, draws), expanded_levels(8))
    assert (estimate.low, estimate.high) == pytest.approx((low, high))
    assert differences == pytest.approx(_vectorised(proper, leaky, metric, draws[:200]))


def _vectorised(
    proper: dict[str, list[tuple[str, str]]],
    leaky: dict[str, list[tuple[str, str]]],
    metric: str,
    draws: np.ndarray,
) -> np.ndarray:
    """Differences of all draws, from hits and counts by speaker and class."""

    def one(side: dict[str, list[tuple[str, str]]]) -> np.ndarray:
        labels = sorted({label for rows in side.values() for label, _ in rows})
        count = np.array([[sum(t == c for t, _ in side[s]) for c in labels] for s in SPEAKERS])
        hits = np.array([[sum(t == c == p for t, p in side[s]) for c in labels] for s in SPEAKERS])
        n, h = draws @ count, draws @ hits
        if metric == "wa":
            return h.sum(axis=1) / n.sum(axis=1)
        return np.nanmean(np.where(n > 0, h / np.maximum(n, 1), np.nan), axis=1)

    return one(leaky) - one(proper)


def test_a_proper_run_keeps_the_intervals_of_its_own_report(
    runs: dict[ProtocolName, Path], inflation: Inflation
) -> None:
    for result in load_results([runs[PROPER]]).comparison.methods:
        assert inflation.scores[result.method, PROPER].pooled == {
            metric: result.pooled[metric] for metric in ("ua", "wa")
        }


def test_a_protocol_that_changes_nothing_inflates_by_nothing(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, "leaky-random")
    estimate = load_inflation(pair).scores["akd", "leaky-random"].inflation["ua"]
    assert (estimate.value, estimate.low, estimate.high) == (0.0, 0.0, 0.0)
    notes = show_inflation(load_inflation(pair)).tables[0].notes
    assert notes[-1] == "leaky-random changed no prediction of akd."


def test_seeds_count_once_each(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, "leaky-normaliser", (0.5, 0.8), seeds=2)
    table = pd.read_parquet(pair[0] / "predictions.parquet")
    wa = (table["label"] == table["predicted"]).mean()
    assert load_inflation(pair).scores["akd", PROPER].pooled["wa"].value == pytest.approx(wa)


def shown(inflation: Inflation, width: int) -> str:
    written = io.StringIO()
    (table,) = marked(show_inflation(inflation)).tables
    Console(width=width, file=written).print(console_table(table))
    return written.getvalue()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_terminal_table_fits_and_says_that_it_is_wrong(
    runs: dict[ProtocolName, Path], width: int
) -> None:
    three: tuple[ProtocolName, ...] = ("leaky-random", "leaky-early-stopping", "leaky-normaliser")
    inflation = load_inflation([runs[PROPER], *(runs[name] for name in three)])
    text = shown(inflation, width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert "wrong on purpose" in " ".join(" ".join(lines[:2]).split())
    body = text[: text.index("Pooled over")]
    assert "…" not in body
    for word in ("akd", "k_d", "w|b", "Teachers", "stopping:", "independent"):
        assert word in body
    estimate = inflation.scores["akd", "leaky-random"].inflation["ua"]
    assert f"+{100 * estimate.value:.1f}" in body


@contextmanager
def silent(_: object) -> Iterator[Observer]:
    yield Observer()


def test_every_file_says_which_leak_each_figure_has(
    runs: dict[ProtocolName, Path], inflation: Inflation, tmp_path: Path
) -> None:
    page = tmp_path / "out" / "inflation.md"
    conduct(
        InflationStudy(),
        InflationParams(),
        Opened(tuple(runs.values())),
        page.parent,
        Console(file=io.StringIO()),
        silent,
    )
    assert {each.name for each in page.parent.iterdir()} == {
        *(f"inflation.{suffix}" for suffix in ("md", "csv", "tex", "html", "png")),
        "study.json",
    }
    assert (page.parent / "inflation.png").read_bytes().startswith(b"\x89PNG")
    for suffix in ("md", "tex"):
        text = (page.parent / f"inflation.{suffix}").read_text()
        assert "the leaky figures are wrong on purpose" in text
        for protocol, leak in LEAKS.items():
            assert f"{protocol}: {leak}" in text
            assert f"LEAKY PROTOCOL {protocol}: broken on purpose" in text
            assert inflation.certificates[protocol].digest in text
    assert r"w\|b" in page.read_text()
    assert r"k\_d" in (page.parent / "inflation.tex").read_text()
    data = pd.read_csv(page.parent / "inflation.csv")
    assert len(data) == 3 * 6 * 2
    leaky = data.query("protocol != @PROPER")
    assert set(leaky["leak"]) == set(LEAKS.values())
    assert np.isfinite(leaky["inflation"]).all()
    akd = data.query("method == 'akd' and metric == 'ua'").set_index("protocol")
    values, inflated = (akd[column].to_dict() for column in ("value", "inflation"))
    assert inflated["leaky-random"] == pytest.approx(
        values["leaky-random"] - values[PROPER], abs=2e-6
    )


def test_the_figure_says_that_it_is_wrong_on_purpose(inflation: Inflation) -> None:
    (figure,) = show_inflation(inflation).figures
    assert "wrong on purpose" in figure.caption
    assert [key.text for key in figure.legend][1:] == [
        f"{protocol}: {LEAKS[protocol]}" for protocol in inflation.leaky
    ]
    (panel,) = figure.panels
    assert isinstance(panel.plot, Forest)
    rows = {(row.group, row.label): row for row in panel.plot.rows}
    assert len(rows) == 3 * 6
    ua = inflation.scores["teacher:w|b", "leaky-random"].pooled["ua"]
    row = rows["w|b (teacher)", "leaky-random"]
    assert (row.value, row.low, row.high) == (100 * ua.value, 100 * ua.low, 100 * ua.high)


def test_undeclared_teachers_stand_under_the_inflation_table_too(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, "leaky-random", teachers=(UNDECLARED,))
    shown = marked(show_inflation(load_inflation(pair)))
    for part in (*shown.tables, *shown.figures):
        assert sum("Teacher whisper-base: its training" in line for line in part.warnings) == 1


# ── Wrong input ──────────────────────────────────────────────────────────────────────────────────


def test_exactly_one_run_is_proper(runs: dict[ProtocolName, Path], tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="none of the runs is speaker-independent"):
        load_inflation([runs["leaky-random"], runs["leaky-normaliser"]])
    with pytest.raises(StoreError, match="speaker-independent; add runs of the same methods"):
        load_inflation([runs[PROPER]])
    again = shutil.copytree(runs[PROPER], tmp_path / "again")
    with pytest.raises(
        StoreError, match="2 runs have the protocol speaker-independent: speaker-independent, again"
    ):
        load_inflation([runs[PROPER], again, runs["leaky-random"]])
    twice = shutil.copytree(runs["leaky-random"], tmp_path / "twice")
    with pytest.raises(StoreError, match="2 runs have the protocol leaky-random"):
        load_inflation([runs[PROPER], runs["leaky-random"], twice])


Change = Callable[[dict[str, dict[str, object]]], object]


def changed(folder: Path, to: Path, change: Change) -> Path:
    copy = shutil.copytree(folder, to)
    plan = json.loads((copy / "plan.json").read_text())
    change(plan)
    (copy / "plan.json").write_text(json.dumps(plan))
    return copy


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p.update(profile="quick"), "profile is standard and quick"),
        (lambda p: p["dataset"].update(corpus_digest="0" * 64), "corpus digest is c{64} and 0{64}"),
        (
            lambda p: p["dataset"].update(labels=p["dataset"]["labels"][::-1]),
            "labels is anger.* and sadness",
        ),
        (
            lambda p: p["methods"][0]["settings"]["training"].update(epochs=2),
            r"method akd\.settings\.training\.epochs is 60 and 2",
        ),
        (lambda p: p["protocol"].update(inner=2), r"protocol\.inner is units and 2"),
        (
            lambda p: p.update(pretrain_audio={"digest": "0" * 64}),
            r"pretrain_audio\.digest is not set and 0{64}",
        ),
        (lambda p: p["code"].update(fit="0" * 64), r"code\.fit is f{64} and 0{64}"),
        (lambda p: p["model_digests"].clear(), "model_digests.whisper-base is e{64} and not set"),
        (lambda p: p["methods"].pop(), "methods is akd, k_d, teacher.* and akd, teacher"),
        (lambda p: p.update(folds_digest="9" * 64), "folds digest is b{64} and 9{64}"),
    ],
)
def test_runs_that_differ_in_more_than_the_protocol_are_refused(
    runs: dict[ProtocolName, Path], tmp_path: Path, change: Change, said: str
) -> None:
    other = changed(runs["leaky-normaliser"], tmp_path / "other", change)
    with pytest.raises(
        StoreError,
        match=rf"speaker-independent and other differ in more than the protocol: .*{said}",
    ):
        load_inflation([runs[PROPER], other])


def test_many_differences_are_counted(runs: dict[ProtocolName, Path], tmp_path: Path) -> None:
    def change(plan: dict[str, dict[str, object]]) -> None:
        plan["code"].update({str(n): "0" for n in range(9)})

    other = changed(runs["leaky-random"], tmp_path / "other", change)
    with pytest.raises(StoreError, match="and 6 more; run the same command with only"):
        load_inflation([runs[PROPER], other])


def test_a_canary_and_random_folds_may_differ(
    runs: dict[ProtocolName, Path], tmp_path: Path
) -> None:
    def change(plan: dict[str, dict[str, object]]) -> None:
        plan["protocol"].update(canary=5)

    proper = changed(runs[PROPER], tmp_path / "proper", change)
    assert load_inflation([proper, runs["leaky-random"]]).leaky == ("leaky-random",)


def test_utterances_that_only_one_run_scored_are_refused(
    runs: dict[ProtocolName, Path], tmp_path: Path
) -> None:
    other = shutil.copytree(runs["leaky-random"], tmp_path / "other")
    path = other / "predictions.parquet"
    rows = pd.read_parquet(path)
    rows[rows["utterance"] != "03a00"].to_parquet(path)
    with pytest.raises(StoreError, match=r"akd under leaky-random.* 1 differ, such as 03a00"):
        load_inflation([runs[PROPER], other])
