"""UA and WA compared with those of the reference run."""

from __future__ import annotations

from collections.abc import Iterator

from serbench.checks.finding import Finding, Outcome
from serbench.checks.regress.tallies import Tally, paired_difference
from serbench.learning.evaluate import Metric
from serbench.results.compare.records import Difference
from serbench.results.table.formats import percent, signed

METRICS: tuple[Metric, ...] = ("ua", "wa")

BETTER = "To make this run the reference: serbench regress RUN --update"
"""What to do if a run is better than the reference run."""


def accuracy_findings(
    method: str, now: Tally, golden: Tally, margin: float, limit: float
) -> Iterator[Finding]:
    """Findings on a method's UA and WA.

    Args:
        method: its name.
        now: hits of the run.
        golden: hits of the reference run, over the same speakers.
        margin: the greatest significant drop that is allowed, 0 … 1.
        limit: the greatest drop that is allowed at all, significant or not.

    Raises:
        SerbenchError: there are fewer than two speakers.
    """
    for metric in METRICS:
        difference = paired_difference(now, golden, metric)
        score, then = now.score(metric), golden.score(metric)
        outcome, allowed = outcome_of(difference, margin, limit)
        moved = _moved(metric.upper(), difference.value)
        yield Finding(
            check=f"{method} {metric.upper()}",
            outcome=outcome,
            message=f"{moved}: {percent(score)} %, reference {percent(then)} % (95 % CI "
            f"{signed(difference.low)} to {signed(difference.high)}; {allowed})",
            remedy=BETTER if outcome == "note" else "",
            numbers={
                "now": score,
                "golden": then,
                "difference": difference.value,
                "low": difference.low,
                "high": difference.high,
                "margin": margin,
                "limit": limit,
            },
        )


def _moved(metric: str, difference: float) -> str:
    """A change of a metric in words, for instance ``UA fell 28.6 points below the reference``."""
    points = percent(abs(difference))
    if points == "0.0":
        return f"{metric} equals the reference"
    if difference < 0:
        return f"{metric} fell {points} points below the reference"
    return f"{metric} rose {points} points above the reference"


def outcome_of(difference: Difference, margin: float, limit: float) -> tuple[Outcome, str]:
    """Whether a difference fails, and the allowed difference in words.

    It fails if the whole 95 % confidence interval is more than ``margin`` below the reference, or
    if the difference itself is more than ``limit`` below.
    """
    significant, any_ = percent(margin), percent(limit)
    if difference.high < -margin:
        return "failed", f"allowed: {significant}"
    if difference.value < -limit:
        return "failed", f"allowed: {any_}, significant or not"
    outcome: Outcome = "passed"
    if difference.low > margin or difference.value > limit:
        outcome = "note"
    return outcome, f"allowed drop: {significant} if significant, {any_} at most"
