"""The sentences on what a start and a distillation are worth."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests_support.run_maker import LABELS, make_run

from serbench.results.compare.methods import comparison
from serbench.results.report.results import Results, load_results
from serbench.results.report.worth import worth

SKILL = {
    "akd": 0.72, "labels-later": 0.70, "hybrid": 0.45, "kd": 0.55, "akd:no-hint": 0.6,
    "heir": 0.8, "other": 0.4, "teacher:whisper-base": 0.93,
}  # fmt: skip
FRAMES = {"name": "frames", "params": {}}
PLANS: dict[str, dict[str, Any]] = {
    "akd": {"needs": ["frames"], "pretrained": True, "objective": FRAMES},
    "labels-later": {"needs": [], "pretrained": True, "objective": FRAMES},
    "hybrid": {"needs": []},
    "kd": {"needs": ["soft_targets"]},
    "akd:no-hint": {"needs": ["pooled"], "pretrained": True, "objective": FRAMES},
    "heir": {"needs": [], "student": "heir", "inherits": ["Forebear"]},
    "other": {"needs": [], "student": "transformer"},
}


def results(folder: Path, edit: Callable[[dict[str, Any]], None] = lambda _: None) -> Results:
    path = make_run(folder, SKILL) / "plan.json"
    plan = json.loads(path.read_text())
    for method in plan["methods"]:
        method.update({"student_params": {}, "pretrained": False} | PLANS[method["name"]])
        objective = "frames" if method["pretrained"] else None
        method["settings"]["pretrain"] = {"objective": objective}
    edit(plan)
    path.write_text(json.dumps(plan))
    return load_results([folder])


def test_each_part_is_a_comparison_of_its_own(tmp_path: Path) -> None:
    found = results(tmp_path / "run")
    lines = worth(found)
    starts = [line.partition(":")[2].strip() for line in lines]
    assert starts == [
        "labels-later (pretrained) compared with hybrid (from scratch), both with labels alone.",
        "akd compared with labels-later (labels alone).",
        "kd compared with hybrid (labels alone).",
        "heir (inherits) compared with hybrid (from scratch), both with labels alone.",
    ]
    assert [line.split(" contributes ")[0] for line in lines] == [
        "The start", "Distillation from the same start", "Distillation from scratch", "The start",
    ]  # fmt: skip
    for line, one, other in (
        (lines[0], "labels-later", "hybrid"), (lines[1], "akd", "labels-later"),
    ):  # fmt: skip
        pair = comparison(
            found.predictions, LABELS, (other, one), train_counts=found.runs[0].train_counts
        )
        ua = {each.method: each.pooled["ua"].value for each in pair.methods}
        difference = pair.methods[1].difference
        assert difference is not None
        assert difference.significance is not None
        gap = 100 * (ua[one] - ua[other])
        assert f"{gap:+.1f} points".replace("-", "−") in line
        assert f"{100 * difference.high:.1f}], p " in line
        assert "uncorrected" in line


def test_the_same_student_is_preferred_for_what_a_start_is_worth(tmp_path: Path) -> None:
    def first(plan: dict[str, Any]) -> None:
        plan["methods"].sort(key=lambda method: method["name"] != "other")

    (line, *_) = worth(results(tmp_path / "run", first))
    assert "compared with hybrid (from scratch)" in line


@pytest.mark.parametrize("lacking", ["labels-later", "hybrid"])
def test_what_cannot_be_told_apart_is_not_said(lacking: str, tmp_path: Path) -> None:
    def without(plan: dict[str, Any]) -> None:
        for method in plan["methods"]:
            if method["name"] == lacking:
                method["needs"] = ["soft_targets"]

    lines = worth(results(tmp_path / "run", without))
    assert not [line for line in lines if f"compared with {lacking}" in line]


def test_tables_say_who_was_pretrained_and_who_could_have_been(tmp_path: Path) -> None:
    def fresh(plan: dict[str, Any]) -> None:
        for method in plan["methods"]:
            if method["name"] == "akd":
                method["pretrained"] = False

    assert results(tmp_path / "a").warnings[-1] == (
        "Pretrained without labels on other speech: akd, labels-later, akd:no-hint."
    )
    assert results(tmp_path / "b", fresh).warnings[-2:] == (
        "Pretrained without labels on other speech: labels-later, akd:no-hint.",
        "Not pretrained, since no unlabelled speech was given: akd.",
    )


def test_an_older_plan_is_read_by_its_losses(tmp_path: Path) -> None:
    def older(plan: dict[str, Any]) -> None:
        for method in plan["methods"]:
            needs = method.pop("needs")
            method["loss_plugin"] = "kd" if needs else "ce"

    assert len(worth(results(tmp_path / "run", older))) == 4


def test_nothing_is_said_of_a_leaky_run(tmp_path: Path) -> None:
    assert worth(load_results([make_run(tmp_path / "run", protocol="leaky-random")])) == []
