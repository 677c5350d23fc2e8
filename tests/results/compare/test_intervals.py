from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from serbench.errors import SerbenchError
from serbench.learning.evaluate import confusion_metric, resample_weights, resampled_metric
from serbench.results.compare.intervals import expanded_levels, percentile_interval


def test_levels_follow_from_printed_tables_of_t() -> None:
    # t = 2.262, 2.093 and 2.023 for 9, 19 and 39 degrees of freedom.
    for clusters, t in ((10, 2.262), (20, 2.093), (40, 2.023)):
        level = 100 * stats.norm.cdf(-t * np.sqrt(clusters / (clusters - 1)))
        low, high = expanded_levels(clusters)
        assert low == pytest.approx(level, abs=0.003)
        assert low + high == pytest.approx(100)
    assert expanded_levels(100_000)[0] == pytest.approx(2.5, abs=0.001)


def test_of_a_mean_the_interval_is_students() -> None:
    random = np.random.default_rng(0)
    values = random.normal(3.0, 1.0, 12)
    weights = resample_weights(12, 60_000, 1)
    low, high = percentile_interval(weights @ values / 12, 12)
    expected = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    assert (low, high) == pytest.approx(expected, abs=0.06 * (expected[1] - expected[0]))
    plain = np.percentile(weights @ values / 12, (2.5, 97.5))
    assert high - low > 1.1 * (plain[1] - plain[0])


def test_one_cluster_has_no_interval() -> None:
    with pytest.raises(SerbenchError, match="at least two speakers"):
        percentile_interval(np.zeros(10), 1)


@pytest.mark.parametrize(("speakers", "least"), [(10, 0.92), (24, 0.935)])
def test_intervals_of_ua_hold_the_truth(speakers: int, least: float) -> None:
    """UA over speakers whose difficulty differs: 95 % intervals, 800 times.

    Plain percentiles hold it 9 times in 10 with 10 speakers.
    """
    random = np.random.default_rng(5)
    classes, per_class = 5, 8
    offset = np.array([0.2, 0.6, 1.0, 1.4, 1.8])

    def chances(count: int) -> np.ndarray:
        ease = random.normal(0, 0.8, (count, 1)) + random.normal(0, 0.6, (count, classes))
        return 1 / (1 + np.exp(-(offset + ease)))

    truth = chances(200_000).mean(axis=0).mean()
    weights = resample_weights(speakers, 1500, 2)
    held = plain = 0
    trials = 800
    for _ in range(trials):
        hits = random.binomial(per_class, chances(speakers))
        counts = np.zeros((speakers, classes, classes), dtype=np.int64)
        counts[:, range(classes), range(classes)] = hits
        counts[:, range(classes), [*range(1, classes), 0]] = per_class - hits
        draws = resampled_metric(counts, weights, "ua")
        low, high = percentile_interval(draws, speakers)
        held += low <= truth <= high
        below, above = np.percentile(draws, (2.5, 97.5))
        plain += below <= truth <= above
        assert low <= confusion_metric(counts.sum(axis=0), "ua") <= high
    assert least <= held / trials <= 0.975
    assert plain < held
