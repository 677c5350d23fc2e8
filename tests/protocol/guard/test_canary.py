"""L10: the interval over repeats, and when it is an alarm."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from serbench.api import LeakageError
from serbench.protocol.guard.canary import FEWEST_REPEATS, canary_result, check_canary


def test_the_interval_is_student_s_t_over_the_repeats() -> None:
    ua = [0.12, 0.15, 0.17, 0.13, 0.14]
    result = canary_result("akd", ua, 7)
    low, high = stats.ttest_1samp(ua, 0.0).confidence_interval(0.95)
    assert (result.low, result.high) == pytest.approx((low, high), rel=1e-12)
    assert (result.ua, result.chance, result.repeats) == pytest.approx((0.142, 1 / 7, 5))
    assert str(result) == "akd 14.2 % [11.8, 16.6] in 5 repeats"


def test_the_whole_interval_above_chance_is_an_alarm_and_names_the_method() -> None:
    clean = canary_result("kd", [0.23, 0.27, 0.25], 4)
    below = canary_result("head", [0.20, 0.21, 0.22], 4)
    check_canary([clean, below])
    leaky = canary_result("akd", [0.34, 0.35, 0.36], 4)
    with pytest.raises(LeakageError, match=r"^leakage L10: .*25\.0 % UA.*: akd 35\.0 %") as caught:
        check_canary([clean, leaky])
    assert caught.value.units == (str(leaky),)


def test_of_clean_pipelines_one_in_forty_is_alarmed() -> None:
    """One side of a 95 % interval: 2.5 %; scores of 500 guesses in 7 classes."""
    random = np.random.default_rng(5)
    alarms = 0
    for _ in range(2000):
        ua = random.binomial(500, 1 / 7, size=5) / 500
        alarms += canary_result("m", ua.tolist(), 7).beats_chance
    assert 0.015 <= alarms / 2000 <= 0.035


def test_a_leak_of_five_points_is_seen() -> None:
    random = np.random.default_rng(6)
    seen = [
        canary_result("m", (random.binomial(500, 1 / 7 + 0.05, 5) / 500).tolist(), 7).beats_chance
        for _ in range(200)
    ]
    assert np.mean(seen) > 0.9


def test_two_repeats_make_no_result() -> None:
    with pytest.raises(ValidationError, match="repeats"):
        canary_result("m", [0.1] * (FEWEST_REPEATS - 1), 7)
