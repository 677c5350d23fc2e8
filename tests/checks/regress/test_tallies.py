from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests_support.run_maker import LABELS, predictions

from serbench.api import SerbenchError
from serbench.checks.regress.accuracy import accuracy_findings, outcome_of
from serbench.checks.regress.tallies import Tally, paired_difference, tally
from serbench.learning.evaluate import Metric
from serbench.results.compare.methods import comparison
from serbench.results.compare.records import Difference

METRICS: tuple[Metric, ...] = ("ua", "wa")


def made(hits: np.ndarray, counts: np.ndarray) -> Tally:
    """By speakers ``s00``, ``s01``, …"""
    return Tally((0,), tuple(f"s{place:02d}" for place in range(len(hits))), hits, counts)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seeds", [1, 3])
def test_scores_and_intervals_are_those_of_the_report(metric: Metric, seeds: int) -> None:
    """Of one about trained models. A tally knows no wrong classes, and neither score asks."""
    rows = predictions({"one": 0.7, "other": 0.6}, seeds=seeds)
    reported = comparison(rows, LABELS, ["other", "one"], question="models").methods[1]
    one, other = (tally(rows, LABELS, name) for name in ("one", "other"))
    assert one.seeds == tuple(range(seeds))
    assert one.score(metric) == pytest.approx(reported.pooled[metric].value)
    if metric == "ua":
        found = paired_difference(one, other, "ua")
        wanted = reported.difference
        assert wanted is not None
        assert (found.value, found.low, found.high) == pytest.approx(
            (wanted.value, wanted.low, wanted.high)
        )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_scores_are_those_of_the_definition(seed: int) -> None:
    draw = np.random.default_rng(seed)
    counts = draw.integers(1, 9, (4, 3))
    counts[0, 2] = 0  # a speaker may lack a class
    hits = draw.integers(0, counts + 1)
    found = made(hits, counts)
    assert found.score("wa") == pytest.approx(hits.sum() / counts.sum())
    assert found.score("ua") == pytest.approx(np.mean(hits.sum(axis=0) / counts.sum(axis=0)))


def test_a_single_speaker_is_no_ground_for_an_interval() -> None:
    alone = made(np.array([[3, 4]]), np.array([[5, 5]]))
    with pytest.raises(SerbenchError, match="at least two speakers"):
        paired_difference(alone, alone, "ua")


@pytest.mark.parametrize(
    ("value", "low", "high", "outcome", "said"),
    [
        (-0.02, -0.03, -0.011, "failed", "allowed: 1.0"),
        (-0.02, -0.03, -0.009, "passed", "allowed drop: 1.0 if significant, 5.0 at most"),
        (-0.06, -0.20, 0.08, "failed", "allowed: 5.0, significant or not"),
        (-0.05, -0.20, 0.08, "passed", "allowed drop: "),
        (0.02, 0.011, 0.03, "note", "allowed drop: "),
        (0.06, -0.01, 0.12, "note", "allowed drop: "),
        (0.02, 0.009, 0.03, "passed", "allowed drop: "),
        (0.0, 0.0, 0.0, "passed", "allowed drop: "),
    ],
)
def test_the_rule(value: float, low: float, high: float, outcome: str, said: str) -> None:
    found = outcome_of(Difference(value, low, high), 0.01, 0.05)
    assert found[0] == outcome
    assert said in found[1]


def test_a_check_names_method_metric_and_how_sure_it_is() -> None:
    counts = np.full((6, 2), 50)
    then, now = made(np.full((6, 2), 45), counts), made(np.full((6, 2), 30), counts)
    for found, metric in zip(accuracy_findings("akd", now, then, 0.01, 0.5), METRICS, strict=True):
        assert found.outcome == "failed"
        assert found.check == f"akd {metric.upper()}"
        assert found.message == (
            f"{metric.upper()} fell 30.0 points below the reference: 60.0 %, reference 90.0 % "
            "(95 % CI −30.0 to −30.0; allowed: 1.0)"
        )
        assert found.numbers["difference"] == pytest.approx(-0.3)


@pytest.mark.parametrize(
    ("hits", "said"),
    [(45, "UA equals the reference: 90.0 %"), (46, "UA rose 2.0 points above the")],
)
def test_what_is_no_drop_is_said_as_plainly(hits: int, said: str) -> None:
    counts = np.full((6, 2), 50)
    then, now = made(np.full((6, 2), 45), counts), made(np.full((6, 2), hits), counts)
    assert next(accuracy_findings("akd", now, then, 0.01, 0.5)).message.startswith(said)


SIMULATIONS = 250
REPEATS = 500


def share_surely_worse(
    draw: np.random.Generator, speakers: int, skill_sd: float, fold_sd: float, drop: float
) -> float:
    """How often UA is surely worse at margin 0, over made-up pairs of runs.

    Both runs meet the same speakers, each with a skill of its own, and 12 utterances in each of 4
    classes; each run's training goes a little otherwise in each fold of two speakers.
    """
    shape = (SIMULATIONS, 2, speakers, 4)
    skill = 0.65 + skill_sd * draw.normal(size=(SIMULATIONS, 1, speakers, 4))
    luck = fold_sd * draw.normal(size=(SIMULATIONS, 2, speakers // 2, 1)).repeat(2, axis=2)
    skill = np.broadcast_to(skill, shape) + luck
    skill[:, 1] -= drop
    hits = draw.binomial(12, np.clip(skill, 0.02, 0.98))
    counts = np.full((speakers, 4), 12)
    found = [
        paired_difference(made(now, counts), made(then, counts), "ua", REPEATS).high < 0
        for then, now in hits
    ]
    return float(np.mean(found))


@pytest.mark.parametrize("speakers", [8, 16])
@pytest.mark.parametrize("skill_sd", [0.0, 0.2])
def test_false_alarms_of_the_sure_rule_at_margin_0(speakers: int, skill_sd: float) -> None:
    """No difference: at most 5 % are called surely worse, and 2.5 % is what is aimed at."""
    share = share_surely_worse(np.random.default_rng(1), speakers, skill_sd, 0.0, 0.0)
    assert share <= 0.05


def test_false_alarms_where_training_has_luck_of_its_own() -> None:
    """Two speakers of a fold share their model's luck, which speakers drawn alone do not know of;
    with as much luck as seeds show (2 points in a fold), it is 5 % still.
    """
    share = share_surely_worse(np.random.default_rng(2), 10, 0.2, 0.02, 0.0)
    assert share <= 0.05


def test_a_planted_drop_is_found() -> None:
    assert share_surely_worse(np.random.default_rng(3), 10, 0.2, 0.02, 0.15) >= 0.95
