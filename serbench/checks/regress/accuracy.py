"""UA and WA compared with golden ones."""

from __future__ import annotations

from collections.abc import Iterator

from serbench.checks.finding import Finding, Outcome
from serbench.checks.regress.tallies import Tally, paired_difference
from serbench.learning.evaluate import Metric
from serbench.results.compare.records import Difference
from serbench.results.table.formats import difference_text, percent, signed

METRICS: tuple[Metric, ...] = ("ua", "wa")

BETTER = "To hold later runs against this one: serbench regress RUN --update"
"""What to do where a run is better than its golden results."""


def accuracy_findings(
    method: str, now: Tally, golden: Tally, margin: float, limit: float
) -> Iterator[Finding]:
    """A method's UA and WA.

    Args:
        method: its name.
        now: of the run.
        golden: over the same speakers.
        margin: how much worse a run may be for sure, 0 … 1.
        limit: by how much it may drop at all, however unsure that is.

    Raises:
        SerbenchError: fewer than two speakers.
    """
    for metric in METRICS:
        difference = paired_difference(now, golden, metric)
        outcome, said = outcome_of(difference, margin, limit)
        score, then = now.score(metric), golden.score(metric)
        yield Finding(
            check=f"{method} {metric.upper()}",
            outcome=outcome,
            message=f"{percent(score)} %, golden {percent(then)} %, "
            f"difference {difference_text(difference)}: {said}",
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


def outcome_of(difference: Difference, margin: float, limit: float) -> tuple[Outcome, str]:
    """Whether a difference fails, and why or why not.

    It fails where all of the 95 % interval lies more than ``margin`` below the golden score, or
    where the difference itself is more than ``limit`` below.
    """
    if difference.high < -margin:
        return "failed", f"surely worse by more than {percent(margin)}"
    if difference.value < -limit:
        return "failed", (
            f"a drop of more than {percent(limit)}, though it is not sure by how much"
        )
    if difference.low > margin or difference.value > limit:
        return "note", "better"
    return "passed", f"allowed: {signed(-margin)} if significant, {signed(-limit)} at most"
