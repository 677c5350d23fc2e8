from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from tests_support.exported import make_exported

from serbench.errors import SerbenchError
from serbench_runtime import Model, capacity, load
from serbench_runtime.throughput import MOST_STREAMS


class Clock:
    """A clock that only the model moves, so that measuring takes no time and is exact."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def slow(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[int], float]], Model]:
    """A model whose calls take what a function of the number of rows says, in seconds."""
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)

    def make(cost_s: Callable[[int], float]) -> Model:
        model = load(make_exported(tmp_path_factory.mktemp("model") / "m.onnx"))

        def posteriors(rows: np.ndarray) -> np.ndarray:
            clock.now_s += cost_s(len(rows))
            return np.full((len(rows), 3), 1 / 3, np.float32)

        monkeypatch.setattr(model, "posteriors", posteriors)
        return model

    return make


def test_capacity_is_what_fits_into_a_step(slow) -> None:
    found = capacity(slow(lambda rows: 0.005 * rows), step_s=0.5)
    assert found.streams in {94, 95}
    assert found.used == pytest.approx(found.streams / 100)
    assert found.late == 0
    assert (found.step_s, found.window_s, found.seconds) == (0.5, 3.0, 10.0)


def test_what_doubling_overestimates_is_lowered(slow) -> None:
    found = capacity(slow(lambda rows: 0.005 * rows * (1 if rows <= 32 else 2)))
    assert 0.9 <= found.used <= 1.0
    assert found.streams == 47


def test_what_doubling_underestimates_is_raised(slow) -> None:
    found = capacity(slow(lambda rows: 0.005 * rows if rows <= 32 else 0.15 + 0.001 * rows))
    assert found.streams > 250
    assert 0.8 <= found.used <= 1.0


def test_late_steps_are_not_kept_up_with(slow) -> None:
    calls = iter(range(10**6))
    every_tenth = lambda rows: 0.005 * rows * (3 if next(calls) % 10 == 0 else 0.8)  # noqa: E731
    found = capacity(slow(every_tenth))
    assert found.streams <= 33
    assert found.late <= 0.05


def test_a_model_that_cannot_do_one_keeps_up_with_none(slow) -> None:
    found = capacity(slow(lambda rows: 0.6 * rows))
    assert (found.streams, found.late) == (0, 1.0)
    assert found.used == pytest.approx(1.2)


def test_no_more_than_the_most_streams_are_tried(slow, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_STREAMS == 1024
    monkeypatch.setattr("serbench_runtime.throughput.MOST_STREAMS", 64)
    assert capacity(slow(lambda rows: 0.0)).streams == 64


@pytest.mark.parametrize(
    ("step_s", "seconds", "message"),
    [
        (0.5, 9.9, "give at least 10 s"),
        (0.0, 10.0, "too little"),
        (0.5, float("nan"), "too little"),
        (0.05, 10.0, "a step of 0.05 s"),
    ],
)
def test_what_cannot_be_measured_is_told(slow, step_s: float, seconds: float, message: str) -> None:
    with pytest.raises(SerbenchError, match=message):
        capacity(slow(lambda rows: 0.001), step_s, seconds)
