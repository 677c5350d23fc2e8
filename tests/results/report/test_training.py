"""Warnings where training failed, and none where it did not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from tests_support.run_maker import LABELS, make_run

from serbench.results.pages.report import report_page
from serbench.results.report.results import load_results
from serbench.results.report.training import training_problems
from serbench.results.report.write import render_comparison, write_report

GOOD = {"akd": 0.9, "kd": 0.6, "teacher:w2v": 0.95}
Edit = Callable[[pd.DataFrame], pd.Series]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", GOOD, seeds=2)


def edited(run: Path, edit: Edit, method: str = "kd") -> tuple[str, ...]:
    """What is found where a method's predictions are others."""
    path = run / "predictions.parquet"
    rows = pd.read_parquet(path)
    own = rows["method"] == method
    rows.loc[own, "predicted"] = edit(rows.loc[own])
    rows.to_parquet(path)
    return training_problems(load_results([run]))


def in_fold(outer: int, then: Callable[[pd.DataFrame], object]) -> Edit:
    def edit(rows: pd.DataFrame) -> pd.Series:
        said = pd.Series(then(rows), index=rows.index)
        return rows["predicted"].where(rows["outer"] != outer, said)

    return edit


def histories(run: Path, make: Callable[[dict], list[dict]]) -> tuple[str, ...]:
    for path in (run / "fits").glob("*.json"):
        fit = json.loads(path.read_text())
        path.write_text(json.dumps(fit | {"history": make(fit)}))
    return training_problems(load_results([run]))


def epochs(losses: list[float], ua: float | None = None) -> list[dict]:
    return [
        {"epoch": at, "terms": {"total": loss}, "validation_ua": ua}
        for at, loss in enumerate(losses, start=1)
    ]


@pytest.mark.parametrize("skill", [GOOD, {"weak": 0.3, "weaker": 0.25, "good": 1.0}])
def test_a_run_whose_training_worked_has_no_warning(tmp_path: Path, skill: dict) -> None:
    run = make_run(tmp_path / "run", skill)
    assert training_problems(load_results([run])) == ()
    assert histories(run, lambda fit: epochs([2.0, 1.0], 0.4 if fit["inner"] else None)) == ()


def test_one_class_in_a_fold(run: Path) -> None:
    assert edited(run, in_fold(2, lambda _: "neutral")) == (
        "kd predicts one class (neutral) for at least 95 % of the test utterances in fold 2.",
    )


def test_one_class_everywhere_says_nothing_else(run: Path) -> None:
    assert edited(run, lambda rows: pd.Series("anger", index=rows.index)) == (
        "kd predicts one class (anger) for at least 95 % of the test utterances in every fold.",
    )


def test_the_teacher_is_looked_at_too(run: Path) -> None:
    found = edited(run, in_fold(1, lambda _: "neutral"), "teacher:w2v")
    assert found[0].startswith("w2v (teacher) predicts one class (neutral)")


def test_a_class_that_is_never_recognised(run: Path) -> None:
    def never(rows: pd.DataFrame) -> pd.Series:
        return rows["label"].where(rows["label"] != "sadness", "neutral")

    assert edited(run, never) == ("kd hardly recognises sadness (recall 0.0 %).",)


def test_a_fold_at_chance(run: Path) -> None:
    def turned(rows: pd.DataFrame) -> list[str]:
        return [LABELS[(LABELS.index(each) + at) % 5] for at, each in enumerate(rows["label"])]

    (found,) = edited(run, in_fold(3, turned))
    assert found.startswith("kd is at chance in fold 3: UA ")
    assert found.endswith(" %, chance 20.0 %.")


def test_a_fold_far_from_the_others(run: Path) -> None:
    (found,) = edited(run, in_fold(4, lambda rows: rows["label"]))
    assert found.startswith("kd in fold 4: UA 100.0 %, far from the other folds (")


def test_a_loss_that_does_not_fall(run: Path) -> None:
    def flat(fit: dict) -> bool:
        return fit["method"] == "kd" and fit["outer"] < 3

    found = histories(run, lambda fit: epochs([1.0, 0.99 if flat(fit) else 0.5]))
    assert found == ("The training loss of kd did not fall in 2 of 4 refits (fold 1, 2).",)


def test_inner_fits_at_chance(run: Path) -> None:
    found = histories(
        run,
        lambda fit: epochs([2.0, 1.0], 0.24 if fit["inner"] and fit["outer"] == 1 else 0.4),
    )
    assert found == tuple(
        f"No inner fit of {name} was better than chance on its validation side in fold 1."
        for name in ("akd", "kd")
    )


def test_warnings_are_on_the_page_in_the_report_and_at_the_terminal(run: Path) -> None:
    (line,) = edited(run, in_fold(2, lambda _: "neutral"))
    results = load_results([run])
    text = report_page(results)
    assert text.index('class="warnings"') < text.index(line) < text.index('id="summary"')
    assert text.count(line) == 1
    assert f"> {line}" in write_report([run], run).read_text()
    assert line in str(render_comparison(run).caption)
