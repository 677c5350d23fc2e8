"""L10: on permuted training labels a clean pipeline scores at chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from serbench.api import LeakageError, Params

FEWEST_REPEATS = 3
"""With two repeats, the interval is ± 12.7 standard errors: nothing could beat chance."""

CONFIDENCE = 0.95
"""Confidence level of the interval over repeats."""


class CanaryResult(Params):
    """UA of one method over repeats of the whole protocol, with new permuted labels in each.

    Attributes:
        method: name of the method; a teacher's own head is ``"teacher:NAME"``.
        repeats: number of repeats.
        ua: mean pooled UA, 0 … 1.
        low, high: 95 % confidence interval of that mean, by Student's t over the repeats.
        chance: 1 / C, the UA if labels have nothing to do with the features.
    """

    method: str
    repeats: int = Field(ge=FEWEST_REPEATS)
    ua: float
    low: float
    high: float
    chance: float

    @property
    def beats_chance(self) -> bool:
        """Whether the whole interval is above chance."""
        return self.low > self.chance

    def __str__(self) -> str:
        """For instance ``akd 14.9 % [13.1, 16.7] in 5 repeats``."""
        low, high = 100 * self.low, 100 * self.high
        return (
            f"{self.method} {100 * self.ua:.1f} % [{low:.1f}, {high:.1f}] in {self.repeats} repeats"
        )


def canary_result(method: str, ua: Sequence[float], num_classes: int) -> CanaryResult:
    """Mean and interval of the UA of repeats that have only the features in common.

    Args:
        method: name of the method.
        ua: pooled UA of each repeat, at least ``FEWEST_REPEATS``.
        num_classes: C.
    """
    from scipy import stats  # takes most of a second; readers of records do not need it

    values = np.asarray(ua, dtype=np.float64)
    mean = float(values.mean())
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(values) - 1)) * error
    return CanaryResult(
        method=method,
        repeats=len(values),
        ua=mean,
        low=mean - half,
        high=mean + half,
        chance=1.0 / num_classes,
    )


def check_canary(results: Sequence[CanaryResult]) -> None:
    """Prove that no method beats chance on permuted labels.

    Raises:
        LeakageError: L10, with the UA of each method that beats chance.
    """
    if singing := [result for result in results if result.beats_chance]:
        raise LeakageError(
            "L10",
            f"better than chance ({100 * singing[0].chance:.1f} % UA) although trained on "
            "permuted labels: true labels reach the fits on another path",
            [str(result) for result in singing],
        )
