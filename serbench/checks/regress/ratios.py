"""Latency ratios and sizes compared with those of the reference run.

Each round gives one ratio: the time of a quick call of the model (the 10th percentile) divided by
that of the reference model, measured one right after the other. Other work of a machine makes calls
slower and never quicker, so a quick call shows the model's own time. On a shared runner, some
rounds are still disturbed throughout, and not always to the same side's advantage. So the gate
tests whether the *median* ratio is too high, without assuming a distribution of the noise: of R
rounds, the k-th lowest ratio exceeds the true median with a probability of P(Binomial(R, ½) < k)
(the sign test's interval). A check fails if the highest order statistic with a probability of at
most 5 % is above the allowed ratio: the lowest of 5 rounds, the second of 8.

The lowest of all would not raise false alarms either, but a single round with a disturbed reference
would hide a real change, and more rounds would make that worse. Simulated with models that take 1.5
times as long, if 1 process in 10 is disturbed by 70 %: of 8 rounds, the lowest ratio finds 56 % and
the second 90 %; of 12, the lowest finds 41 % and the third 95 %.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from serbench.api import SerbenchError
from serbench.checks.finding import Finding, Outcome
from serbench.checks.regress.accuracy import BETTER
from serbench.results.compare.records import ALPHA
from serbench.results.table.formats import percent, signed

FEWEST_ROUNDS = 5
"""With fewer rounds, not even the lowest ratio is below the median with 95 % confidence."""


QUICK = 10
"""Percentile of a round's calls that represents an undisturbed call."""


def round_ratio(calls_s: Sequence[float], reference_s: Sequence[float]) -> float:
    """Ratio of one round: time of a quick call of the model divided by that of the reference."""
    return float(np.percentile(calls_s, QUICK) / np.percentile(reference_s, QUICK))


def median_bounds(ratios: Sequence[float]) -> tuple[float, float]:
    """Bounds above and below the true median, each with at least 95 % confidence.

    Raises:
        SerbenchError: there are fewer than 5 ratios.
    """
    rounds = len(ratios)
    if rounds < FEWEST_ROUNDS:
        raise SerbenchError(f"{rounds} rounds: a ratio needs at least {FEWEST_ROUNDS}")
    ordered = sorted(ratios)
    # The k-th lowest: P(Binomial(R, 1/2) <= k - 1) <= 5 %.
    place = int(np.sum(stats.binom.cdf(np.arange(rounds), rounds, 0.5) <= ALPHA)) - 1
    return ordered[place], ordered[rounds - 1 - place]


def latency_finding(
    check: str, ratios: Sequence[float], golden: float, tolerance: float
) -> Finding:
    """Finding on the rounds' ratios to the reference model.

    Args:
        check: its name.
        ratios: one per round.
        golden: their median when the golden file was made.
        tolerance: how much higher it may be, as a share of ``golden``.

    Raises:
        SerbenchError: there are fewer than 5 rounds.
    """
    now = float(np.median(ratios))
    low, high = (each / golden - 1 for each in median_bounds(ratios))
    outcome: Outcome = "passed"
    if low > tolerance:
        outcome = "failed"
    elif high < 1 / (1 + tolerance) - 1:
        outcome = "note"
    change = now / golden - 1
    return Finding(
        check,
        outcome,
        f"latency {_moved(change)}: {now:.3f} times the reference model, {golden:.3f} in the "
        f"golden file (95 % bounds {change_text(low)} to {change_text(high)}; allowed: "
        f"{change_text(tolerance)})",
        remedy=BETTER if outcome == "note" else "",
        numbers={
            "now": now, "golden": golden, "difference": change, "low": low, "high": high,
            "tolerance": tolerance,
        },
    )  # fmt: skip


def size_finding(check: str, now: int, golden: int, tolerance: float) -> Finding:
    """Finding on the size of a converted model's files, in bytes."""
    outcome: Outcome = "passed"
    if now - golden > tolerance * golden:
        outcome = "failed"
    elif golden - now > tolerance * golden:
        outcome = "note"
    change = now / golden - 1
    return Finding(
        check,
        outcome,
        f"size {_moved(change)}: {now:,} bytes, {golden:,} in the golden file (allowed: "
        f"{change_text(tolerance)})",
        remedy=BETTER if outcome == "note" else "",
        numbers={"now": now, "golden": golden, "difference": change, "tolerance": tolerance},
    )


def _moved(change: float) -> str:
    """A change in words, for instance ``rose by 12.0 %``."""
    if percent(abs(change)) == "0.0":
        return "is unchanged"
    return f"{'rose' if change > 0 else 'fell'} by {percent(abs(change))} %"


def change_text(change: float) -> str:
    """A relative change, for instance ``+2.0 %``."""
    return f"{signed(change)} %"
