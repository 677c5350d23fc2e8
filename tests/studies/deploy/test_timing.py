from __future__ import annotations

import socket
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests_support.deployments import QUICK

from serbench.studies.deploy.device import instruments
from serbench.studies.deploy.results import Effort, Round
from serbench.studies.deploy.timing import Contestant, ratio_of, rotated, summarize

calls = st.lists(st.floats(1e-4, 10.0), min_size=1, max_size=6)


def made(rng: np.random.Generator, scale: float, calls_: int = 7) -> Round:
    def draw() -> list[float]:
        return (scale * rng.uniform(0.5, 1.5, calls_)).tolist()

    return Round(
        latency_s={"0.5": draw(), "1": draw()},
        batch_s={"2": draw()},
        stages_s=dict(zip(("python", "import", "open", "first call"), draw(), strict=False)),  # pyright: ignore[reportArgumentType]
        idle_bytes=int(1e6 * rng.uniform(1, 2)),
        peak_bytes=int(1e6 * rng.uniform(3, 4)),
    )


def test_a_summary_is_that_of_numpy() -> None:
    rng = np.random.default_rng(1)
    own, base = [[made(rng, scale) for _ in range(3)] for scale in (0.1, 0.3)]
    found = summarize(own, base, QUICK)
    assert found
    pooled = np.concatenate([each.latency_s["1"] for each in own])
    latency = found.latency[1.0]
    assert latency.percentiles_s == pytest.approx(np.percentile(pooled, (50, 90, 99)))
    ratios = [
        np.median(a.latency_s["1"]) / np.median(b.latency_s["1"])
        for a, b in zip(own, base, strict=True)
    ]
    assert latency.ratio
    assert (latency.ratio.value, latency.ratio.low, latency.ratio.high) == pytest.approx(
        (np.median(ratios), min(ratios), max(ratios))
    )
    single = np.median([1 / np.mean(each.latency_s["1"]) for each in own])
    double = np.median([2 / np.mean(each.batch_s["2"]) for each in own])
    assert found.fps == pytest.approx(single)
    assert found.best_fps == pytest.approx(max(single, double))
    assert found.best_batch == (1 if single > double else 2)
    assert found.real_time_factor == pytest.approx(np.median(pooled))
    starts = [each.stages_s["open"] + each.stages_s["first call"] for each in own]
    assert found.start_s == pytest.approx(np.median(starts))
    assert found.cold_s == pytest.approx(np.median([sum(e.stages_s.values()) for e in own]))
    assert found.peak_bytes == np.median([each.peak_bytes or 0 for each in own])
    assert found.idle_bytes == np.median([each.idle_bytes or 0 for each in own])


def test_without_rounds_there_is_no_summary() -> None:
    assert summarize([], [], QUICK) is None


def test_without_a_reference_there_is_no_ratio() -> None:
    found = summarize([made(np.random.default_rng(0), 1.0)], [], QUICK)
    assert found
    assert found.latency[1.0].ratio is None


@settings(max_examples=25)
@given(st.lists(calls, min_size=1, max_size=5), st.lists(st.floats(0.1, 10), min_size=5))
def test_a_machine_that_drifts_between_rounds_changes_no_ratio(
    rounds: list[list[float]], drift: list[float]
) -> None:
    slower = [[call * factor for call in own] for own, factor in zip(rounds, drift, strict=False)]
    half = [[call / 2 for call in own] for own in slower]
    found = ratio_of(half, slower)
    assert found
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))


def test_every_backend_goes_first_once() -> None:
    three = [Contestant(SimpleNamespace(name=n), None) for n in "abc"]  # pyright: ignore[reportArgumentType]
    orders = ["".join(each.candidate.name for each in rotated(three, n)) for n in range(4)]
    assert orders == ["abc", "bca", "cab", "abc"]


def test_calls_fill_the_budget_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(instruments.time, "perf_counter", lambda: now[0])

    def predict(x: object) -> object:
        now[0] += 0.01
        return x

    x = np.zeros((1, 4), dtype=np.float32)
    effort = {"warm_up_calls": 3, "warm_up_s": 0.05, "least_calls": 5, "most_calls": 40}
    for budget_s, wanted in ((0.2, 20), (0.0, 5), (9.0, 40)):
        found = instruments.time_calls(predict, x, {**effort, "budget_s": budget_s})  # pyright: ignore[reportArgumentType]
        assert found == pytest.approx([0.01] * len(found))
        assert abs(len(found) - wanted) <= 1


def test_pieces_are_neighbours() -> None:
    audio = np.arange(16_000 * 3, dtype=np.float32)
    found = instruments.cut(audio, 0.5, 4)
    assert found.shape == (4, 8000)
    assert found[1, 0] == 8000
    assert found.flags.c_contiguous


def test_a_window_that_is_not_timed_alone_is_refused() -> None:
    with pytest.raises(ValidationError, match="window_s = 3 is not among"):
        Effort.model_validate({**instruments.EFFORT, "lengths_s": [1, 10]})


def test_the_machine_is_told_without_names() -> None:
    found = instruments.machine("", {"numpy": "2"})
    assert found["cores"] >= found["usable_cores"] >= 1
    text = str(found)
    assert socket.gethostname() not in text or len(socket.gethostname()) < 4
    assert found["name"]
