"""Intervals from bootstrap draws of speakers.

Utterances of one speaker are not independent, so whole speakers are drawn (Davison & Hinkley,
*Bootstrap Methods and their Application*, 1997, 3.8). Intervals from plain percentiles of these
draws are too narrow if there are few clusters: with 10 speakers, a 95 % interval contains the true
value 9 times in 10. Percentiles further out are therefore used, so that the interval of a mean
would be as wide as its t interval (Hesterberg, "What Teachers Should Know About the Bootstrap",
*The American Statistician* 69(4), 2015, section 5.3).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from serbench.errors import SerbenchError
from serbench.results.compare.records import ALPHA, Estimate

REPEATS = 10_000
"""Number of draws: enough for the extreme percentiles that few speakers need."""


def expanded_levels(clusters: int) -> tuple[float, float]:
    """Percentiles that are the ends of a 95 % interval if ``clusters`` clusters are drawn.

    The normal quantile is replaced by ``sqrt(n / (n − 1))`` times Student's with n − 1 degrees of
    freedom: 2.5 and 97.5 for many clusters, 0.86 and 99.14 for 10.

    Raises:
        SerbenchError: there are fewer than two clusters.
    """
    if clusters < 2:
        raise SerbenchError("an interval by resampling speakers needs at least two speakers")
    quantile = math.sqrt(clusters / (clusters - 1)) * stats.t.ppf(1 - ALPHA / 2, clusters - 1)
    low = 100 * float(stats.norm.cdf(-quantile))
    return low, 100 - low


def percentile_interval(draws: NDArray[np.float64], clusters: int) -> tuple[float, float]:
    """95 % interval of a statistic from its values in draws of ``clusters`` clusters.

    Args:
        draws: ``(repeats,)``.
        clusters: number of speakers.

    Raises:
        SerbenchError: there are fewer than two clusters.
    """
    low, high = np.percentile(draws, expanded_levels(clusters))
    return float(low), float(high)


def estimate(value: float, draws: NDArray[np.float64], clusters: int) -> Estimate:
    """``value`` with the interval from its draws."""
    return Estimate(float(value), *percentile_interval(draws, clusters))
