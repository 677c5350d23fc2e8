from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from serbench.api import SerbenchError
from serbench.checks.regress.ratios import latency_finding, median_bounds, round_ratio, size_finding


@pytest.mark.parametrize(("rounds", "place"), [(5, 1), (7, 1), (8, 2), (10, 2), (11, 3), (20, 6)])
def test_bounds_are_the_order_statistics_of_the_sign_test(rounds: int, place: int) -> None:
    values = list(np.random.default_rng(0).permutation(np.arange(1.0, rounds + 1)))
    assert median_bounds(values) == (place, rounds + 1 - place)
    # The next one would not be sure enough.
    assert stats.binom.cdf(place - 1, rounds, 0.5) <= 0.05 < stats.binom.cdf(place, rounds, 0.5)


def test_too_few_rounds_say_nothing() -> None:
    with pytest.raises(SerbenchError, match="4 rounds: a ratio needs at least 5"):
        median_bounds([1.0, 1.1, 1.2, 1.3])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.1, 10), min_size=5, max_size=30), st.floats(0.1, 10))
def test_a_check_knows_no_unit(ratios: list[float], scale: float) -> None:
    one = latency_finding("it", ratios, 1.0, 0.25)
    other = latency_finding("it", [scale * each for each in ratios], scale, 0.25)
    assert one.numbers["difference"] == pytest.approx(other.numbers["difference"])
    assert one.numbers["low"] == pytest.approx(other.numbers["low"])


@pytest.mark.parametrize(
    ("ratio", "outcome", "said"),
    [
        (
            1.24,
            "passed",
            "latency rose by 24.0 %: 1.240 times the reference model, 1.000 in the golden file",
        ),
        (1.26, "failed", "(95 % bounds +26.0 % to +26.0 %; allowed: +25.0 %)"),
        (0.81, "passed", "latency fell by 19.0 %"),
        (0.79, "note", "latency fell by 21.0 %"),
        (1.0, "passed", "latency is unchanged"),
    ],
)
def test_the_rule(ratio: float, outcome: str, said: str) -> None:
    check = latency_finding("akd onnxruntime 3 s latency", [ratio] * 8, 1.0, 0.25)
    assert check.outcome == outcome
    assert said in check.message


def test_one_slow_round_fails_nothing_and_one_quick_round_hides_nothing() -> None:
    assert latency_finding("it", [1.0] * 7 + [9.0], 1.0, 0.25).outcome == "passed"
    assert latency_finding("it", [0.2] + [1.5] * 7, 1.0, 0.25).outcome == "failed"


@pytest.mark.parametrize(
    ("size", "outcome"), [(1021, "failed"), (1020, "passed"), (980, "passed"), (979, "note")]
)
def test_sizes(size: int, outcome: str) -> None:
    check = size_finding("akd onnxruntime size", size, 1000, 0.02)
    assert check.outcome == outcome
    assert f"{size:,} bytes, 1,000 in the golden file" in check.message


def noisy_calls(
    draw: np.random.Generator, base_s: float, disturbed: float, calls: int = 60
) -> list[float]:
    """A process of a shared runner: some are disturbed throughout, by 70 % on average; and of all
    calls, 1 in 4 is interrupted and takes up to four times as long.
    """
    phase = 1 + draw.exponential(0.7) * (draw.random() < disturbed)
    spikes = 1 + draw.uniform(0, 3, calls) * (draw.random(calls) < 0.25)
    return list(base_s * phase * spikes * draw.lognormal(0, 0.03, calls))


def share_failed(slower: float, tolerance: float, disturbed: float, gates: int = 200) -> float:
    """How often a gate of 8 rounds fails a model that takes ``slower`` times its golden time."""
    draw = np.random.default_rng(5)
    failed = 0
    for _ in range(gates):
        ratios = [
            round_ratio(
                noisy_calls(draw, 0.003 * slower, disturbed), noisy_calls(draw, 0.002, disturbed)
            )
            for _ in range(8)
        ]
        failed += latency_finding("it", ratios, 1.5, tolerance).outcome == "failed"
    return failed / gates


def test_a_noisy_runner_does_not_flap() -> None:
    """With nothing allowed at all, 5 % may fail by chance; with the default, next to none."""
    assert share_failed(1.0, 0.0, disturbed=0.3) <= 0.05
    assert share_failed(1.0, 0.25, disturbed=0.3) <= 0.005


def test_a_slow_model_is_found_on_a_noisy_runner() -> None:
    assert share_failed(2.0, 0.25, disturbed=0.1) >= 0.9
    assert share_failed(1.5, 0.25, disturbed=0.1) >= 0.8
