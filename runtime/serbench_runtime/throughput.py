"""Measures how many simultaneous streams a model can process on this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from serbench_runtime.errors import SerbenchError
from serbench_runtime.model import Model
from serbench_runtime.stream import STEP_S

MOST_STREAMS = 1024
"""Greatest number of streams that is tried."""

ON_TIME = 0.95
"""The share of steps that must be answered before the next is due."""

ROOM = 0.95
"""Share of the available time that the next trial should take."""

FULL = 0.9
"""If streams take this share of the available time or more, no more streams are tried."""

MORE_TRIALS = 3

SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many streams a model can process in time.

    Attributes:
        streams: number of streams in lock step; 0 if not even one is processed in time. 1024 means
            1024 or more.
        used: the share of real time that they take: computing time divided by duration of sound.
        late: the share of steps that were answered after the next was due.
        step_s, window_s: settings of the streams.
        seconds: seconds of sound in every stream, in the trial that gave ``used``.
    """

    streams: int
    used: float
    late: float
    step_s: float
    window_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class _Trial:
    streams: int
    used: float
    late: float

    @property
    def kept_up(self) -> bool:
        return self.used <= 1.0 and self.late <= 1.0 - ON_TIME


def capacity(model: Model, step_s: float = STEP_S, seconds: float = SECONDS) -> Capacity:
    """Measure how many simultaneous streams ``model`` can process in time, with its threads.

    Streams get noise as fast as they can process it. They are in time if computing takes no longer
    than the sound lasts, and if 95 % of steps are answered before the next is due. Steps before the
    first full windows are not measured.

    Args:
        model: a loaded model, with its number of threads.
        step_s: time between the answers of every stream.
        seconds: seconds of sound to measure with, at least 20 steps.

    Raises:
        SerbenchError: ``step_s`` is out of range, or there are too few seconds.
    """
    steps = math.floor(seconds / step_s) if step_s > 0 and math.isfinite(seconds) else 0
    if steps < 20:
        raise SerbenchError(
            f"{seconds:g} s are too little to measure streams with a step of {step_s:g} s; give "
            f"at least {20 * max(step_s, 0):g} s"
        )
    trial = _most(model, step_s, steps)
    return Capacity(
        streams=trial.streams if trial.kept_up else 0,
        used=trial.used,
        late=trial.late,
        step_s=step_s,
        window_s=model.window_s,
        seconds=steps * step_s,
    )


def _most(model: Model, step_s: float, steps: int) -> _Trial:
    """Try fewer streams until they are in time, then more while there is time left."""
    trial = _try(model, _estimate(model, step_s), step_s, steps)
    while not trial.kept_up and trial.streams > 1:
        trial = _try(model, max(1, _fitting(trial, 0.95 * trial.streams)), step_s, steps)
    for _ in range(MORE_TRIALS):
        more = _fitting(trial, MOST_STREAMS)
        if not trial.kept_up or trial.used > FULL or more <= trial.streams:
            break
        larger = _try(model, more, step_s, steps)
        if not larger.kept_up:
            break
        trial = larger
    return trial


def _fitting(trial: _Trial, most: float) -> int:
    """Number of streams that would have taken almost all of the time, by the result of a trial."""
    return math.floor(min(most, ROOM * trial.streams / max(trial.used, 1e-9)))


def _estimate(model: Model, step_s: float) -> int:
    """Approximate number of streams: double until one step takes long, then in proportion."""
    window = np.zeros((1, round(model.window_s * model.sample_rate_hz)), np.float32)
    streams = 1
    while streams < MOST_STREAMS:
        rows = np.repeat(window, streams, axis=0)
        took_s = min(_timed(lambda rows=rows: model.posteriors(rows)) for _ in range(3))
        if took_s > 0.2 * step_s:
            return max(1, min(MOST_STREAMS, math.floor(ROOM * streams * step_s / took_s)))
        streams *= 2
    return MOST_STREAMS


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _try(model: Model, streams: int, step_s: float, steps: int) -> _Trial:
    lanes = model.streams(streams, step_s)
    noise = np.random.default_rng(0).normal(0.0, 0.05, round(step_s * model.sample_rate_hz))
    chunk = np.tile(noise.astype(np.float32), (streams, 1))
    for _ in range(math.ceil(model.window_s / step_s)):  # until windows are full
        lanes.feed(chunk)
    took_s = np.array([_timed(lambda: lanes.feed(chunk)) for _ in range(steps)])
    return _Trial(streams, float(took_s.mean() / step_s), float(np.mean(took_s > step_s)))
