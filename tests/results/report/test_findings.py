"""The sentences that a report begins with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests_support.run_maker import make_run

from serbench.results.compare.records import Estimate
from serbench.results.report.findings import findings, headline
from serbench.results.report.results import Results, load_results

SKILL = {"akd": 0.9, "one": 0.8, "two": 0.7, "teacher:w2v": 0.95}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return load_results([make_run(tmp_path_factory.mktemp("runs") / "run", SKILL)])


def said(results: Results, **found: tuple[float, float, float]) -> Results:
    """With other UA, difference from the reference, and p of the methods that are named."""
    methods = []
    for each in results.comparison.methods:
        if each.method.removeprefix("teacher:") not in found:
            continue
        ua, value, p = found[each.method.removeprefix("teacher:")]
        difference = each.difference
        if difference:
            assert difference.significance
            assert difference.significance.folds
            folds = replace(difference.significance.folds, p_holm=p)
            significance = replace(difference.significance, folds=folds)
            difference = replace(difference, value=value, significance=significance)
        pooled = {**each.pooled, "ua": Estimate(ua, ua - 0.05, ua + 0.05)}
        methods.append(replace(each, pooled=pooled, difference=difference))
    return replace(results, comparison=replace(results.comparison, methods=tuple(methods)))


def test_no_difference(results: Results) -> None:
    held = said(results, akd=(0.685, 0, 1), one=(0.66, -0.025, 0.4), w2v=(0.703, 0.018, 0.6))
    assert headline(held) == (
        "No significant difference between akd and one (best 68.5 % UA); teacher 70.3 %."
    )
    held = said(results, akd=(0.66, 0, 1), one=(0.685, 0.025, 0.4), two=(0.5, -0.16, 0.06))
    assert headline(held) == "No significant difference between methods (best 68.5 % UA)."


def test_better_and_worse(results: Results) -> None:
    held = said(results, akd=(0.685, 0, 1), one=(0.6, -0.085, 0.02), two=(0.5, -0.185, 0.01))
    assert headline(held) == (
        "akd (68.5 % UA) is significantly better than one (60.0 % UA) and two (50.0 % UA)."
    )
    held = said(results, akd=(0.6, 0, 1), one=(0.685, 0.085, 0.02), two=(0.5, -0.1, 0.01))
    assert headline(held) == (
        "one (68.5 % UA) is significantly better than akd (60.0 % UA); "
        "akd is significantly better than two (50.0 % UA)."
    )
    held = said(results, akd=(0.6, 0, 1), one=(0.685, 0.085, 0.02), two=(0.59, -0.01, 0.9))
    assert headline(held) == (
        "one (68.5 % UA) is significantly better than akd (60.0 % UA); "
        "no significant difference between akd and two (59.0 % UA)."
    )


def test_a_single_method_has_its_score(results: Results) -> None:
    held = said(results, akd=(0.685, 0, 1), w2v=(0.703, 0.018, 0.6))
    assert headline(held) == "akd (68.5 % UA); teacher 70.3 %."


def test_each_method_has_a_sentence_and_so_has_the_teacher(results: Results) -> None:
    held = said(results, akd=(0.685, 0, 1), one=(0.6, -0.085, 0.0004), w2v=(0.703, 0.018, 0.6))
    assert findings(held) == [
        "akd reaches 68.5 % UA (95 % CI 63.5 to 73.5).",
        "one reaches 60.0 % UA (95 % CI 55.0 to 65.0), significantly worse than akd by 8.5 points "
        "(p < 0.001).",
        "The teacher w2v, by its own head, reaches 70.3 % UA (95 % CI 65.3 to 75.3), "
        "no significant difference from akd (p = 0.60).",
    ]


def test_a_leaky_run_has_no_finding(tmp_path: Path) -> None:
    found = load_results([make_run(tmp_path / "run", {"akd": 0.9}, protocol="leaky-random")])
    assert headline(found) == ""
    assert "but under leaky-random" in findings(found)[0]
