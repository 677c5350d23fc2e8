"""UA and WA held against golden ones."""

from __future__ import annotations

from serbench.checks.regress.records import Check, Outcome
from serbench.checks.regress.tallies import Tally, paired_difference
from serbench.learning.evaluate import Metric
from serbench.results.compare.records import Difference

METRICS: tuple[Metric, ...] = ("ua", "wa")


def accuracy_checks(
    method: str, now: Tally, golden: Tally, margin: float, limit: float
) -> tuple[Check, ...]:
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
    made = []
    for metric in METRICS:
        difference = paired_difference(now, golden, metric)
        outcome, said = judge(difference, margin, limit)
        made.append(
            Check(
                what=f"{method} {metric.upper()}",
                kind="accuracy",
                golden=golden.score(metric),
                now=now.score(metric),
                difference=difference.value,
                low=difference.low,
                high=difference.high,
                allowed=f"{points(-margin)} for sure, {points(-limit)} at all",
                outcome=outcome,
                message=f"{method} {metric.upper()} {said}",
            )
        )
    return tuple(made)


def judge(difference: Difference, margin: float, limit: float) -> tuple[Outcome, str]:
    """Whether a difference fails, and a sentence without its subject.

    It fails where all of the 95 % interval lies more than ``margin`` below the golden score, or
    where the difference itself is more than ``limit`` below.
    """
    interval = f"95 % interval {points(difference.low)} to {points(difference.high)}"
    by = f"{points(difference.value)} points to the golden one"
    if difference.high < -margin:
        return "FAILED", f"is {by}: surely worse by more than {points(margin)[1:]} ({interval})"
    if difference.value < -limit:
        return "FAILED", (
            f"is {by}: a drop beyond the limit of {points(limit)[1:]}, though it is not sure by "
            f"how much ({interval})"
        )
    if difference.low > margin or difference.value > limit:
        return "better", f"is {by} ({interval}): better; consider --update"
    if difference.low == difference.high == 0:
        return "passed", "is the golden one"
    return "passed", f"is {by} ({interval})"


def points(share: float) -> str:
    """A share in percentage points, signed; what rounds to zero has no sign but a plus."""
    text = f"{100 * share:+.1f}"
    return "+0.0" if text == "-0.0" else text.replace("-", "−")
