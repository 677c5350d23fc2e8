"""Live sound: overlapping windows, averaged posteriors, constant memory."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soxr
from numpy.typing import ArrayLike, NDArray

from serbench_runtime.arrays import check_rate, scaled
from serbench_runtime.errors import ModelError, SerbenchError, WaveformError
from serbench_runtime.facts import Facts

if TYPE_CHECKING:
    from jaxtyping import Float32

STEP_S = 0.5
AVERAGE = 4

LONGEST_WINDOW_S = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A model's prediction for a stream at one time.

    Attributes:
        time_s: the end of the newest window, in seconds of the stream. At the beginning, the window
            is only as long as the stream.
        label: the class with the greatest mean posterior.
        posteriors: the mean over the newest windows.
        latency_s: computing time of this step, for all streams in lock step together.
    """

    time_s: float
    label: str
    posteriors: Float32[NDArray[np.float32], " C"]
    latency_s: float


class Streams:
    """Simultaneous streams in lock step; ``Model.streams`` makes them.

    All streams get samples at the same time, so that their windows go through the model together. A
    step is due every ``step_s``, with the last ``window_s`` of the sound, or with all of it at the
    beginning.

    Args:
        posteriors: function of windows ``(N, samples)``: ``Model.posteriors``.
        facts: facts of the model.
        count: N, number of streams.
        step_s: as for ``Model.stream``.
        window_s: as for ``Model.stream``.
        average: as for ``Model.stream``.
        sample_rate: as for ``Model.stream``.
    """

    def __init__(
        self,
        posteriors: Callable[[NDArray[np.float32]], NDArray[np.float32]],
        facts: Facts,
        count: int,
        step_s: float,
        window_s: float | None,
        average: int,
        sample_rate: float | None,
    ) -> None:
        if facts.cut == "whole":
            raise ModelError(
                f"{facts.name} needs whole utterances and cannot classify live sound; use "
                "predict, or another model"
            )
        chosen_s = facts.window_s if window_s is None else window_s
        if facts.cut == "centre" and chosen_s > facts.window_s:
            raise WaveformError(
                f"a window of {chosen_s:g} s: {facts.name} uses the middle {facts.window_s:g} s "
                "of its input; give at most that"
            )
        _check_settings(count, step_s, chosen_s, average, facts.shortest_s)
        self._posteriors = posteriors
        self._facts = facts
        self._step = round(step_s * facts.sample_rate_hz)
        self._shortest = round(facts.shortest_s * facts.sample_rate_hz)
        # A ring buffer: sample t of the stream is at t modulo its length.
        length = max(self._step, round(chosen_s * facts.sample_rate_hz))
        self._ring = np.zeros((count, length), np.float32)
        self._heard = 0
        self._answered = 0
        self._recent: deque[NDArray[np.float32]] = deque(maxlen=average)
        self._resampler = _resampler(sample_rate, facts.sample_rate_hz, count)
        self._finished = False

    @property
    def heard_s(self) -> float:
        """Seconds of sound received so far."""
        return self._heard / self._facts.sample_rate_hz

    def feed(self, samples: ArrayLike) -> list[tuple[Step, ...]]:
        """Add sound, and return the answers for all steps that are now due.

        Args:
            samples: ``(N, samples)``, a row for each stream, any number of samples, including none.
                Floats within ±1, or int8, int16, int32 or uint8 in their full range.

        Returns:
            For each step, one ``Step`` for each stream.

        Raises:
            WaveformError: the array has another shape or kind, values that are NaN or infinite, or
                floats beyond ±10; or the streams are finished. The streams are then unchanged.
        """
        return self._take(self._checked(samples), last=False)

    def finish(self) -> list[tuple[Step, ...]]:
        """End the streams, with one more step if at least 0.1 s came since the last.

        Raises:
            WaveformError: the streams are already finished.
        """
        steps = self._take(self._checked(np.zeros((len(self._ring), 0), np.float32)), last=True)
        self._finished = True
        if self._heard - self._answered >= self._shortest:
            steps.append(self._answer())
        return steps

    def _checked(self, samples: ArrayLike) -> Float32[NDArray[np.float32], "N samples"]:
        if self._finished:
            raise WaveformError("the stream is finished; make a new one")
        chunk = np.asarray(samples)
        if chunk.ndim != 2 or len(chunk) != len(self._ring):
            raise WaveformError(
                f"{len(self._ring)} streams were fed an array of shape {chunk.shape}; give "
                f"({len(self._ring)}, samples)"
            )
        try:
            return scaled(chunk)
        except WaveformError as error:
            raise WaveformError(f"after {self.heard_s:.2f} s of the stream: {error}") from error

    def _take(
        self, chunk: Float32[NDArray[np.float32], "N samples"], *, last: bool
    ) -> list[tuple[Step, ...]]:
        if self._resampler is not None:
            chunk = self._resampler.resample_chunk(np.ascontiguousarray(chunk.T), last=last).T
        steps = []
        while chunk.shape[1]:
            due = self._answered + self._step - self._heard
            self._remember(chunk[:, :due])
            chunk = chunk[:, due:]
            if self._heard == self._answered + self._step:
                steps.append(self._answer())
        return steps

    def _remember(self, part: Float32[NDArray[np.float32], "N samples"]) -> None:
        """Write samples, at most one step, into the ring buffer."""
        length, size = self._ring.shape[1], part.shape[1]
        start = self._heard % length
        before_end = min(size, length - start)
        self._ring[:, start : start + before_end] = part[:, :before_end]
        self._ring[:, : size - before_end] = part[:, before_end:]
        self._heard += size

    def _window(self) -> Float32[NDArray[np.float32], "N samples"]:
        """Content of the ring buffer, oldest samples first."""
        length = self._ring.shape[1]
        if self._heard <= length:
            return self._ring[:, : self._heard]
        return np.roll(self._ring, -(self._heard % length), axis=1)

    def _answer(self) -> tuple[Step, ...]:
        began = time.perf_counter()
        self._recent.append(self._posteriors(self._window()))
        mean = np.stack(self._recent).mean(axis=0, dtype=np.float64).astype(np.float32)
        latency_s = time.perf_counter() - began
        self._answered = self._heard
        labels = self._facts.labels
        return tuple(Step(self.heard_s, labels[int(row.argmax())], row, latency_s) for row in mean)


class Stream:
    """One stream; ``Model.stream`` makes it."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    @property
    def heard_s(self) -> float:
        """Seconds of sound received so far."""
        return self._streams.heard_s

    def feed(self, samples: ArrayLike) -> list[Step]:
        """Add sound, and return the answers for all steps that are now due.

        Args:
            samples: ``(samples,)``, any number, including none. Floats within ±1, or int8, int16,
                int32 or uint8 in their full range.

        Raises:
            WaveformError: the array has another shape or kind, values that are NaN or infinite, or
                floats beyond ±10; or the stream is finished. The stream is then unchanged.
        """
        chunk = np.asarray(samples)
        if chunk.ndim != 1:
            raise WaveformError(
                f"a stream was fed an array of shape {chunk.shape}; give (samples,), one channel"
            )
        return [step for (step,) in self._streams.feed(chunk[None])]

    def finish(self) -> list[Step]:
        """End the stream, with one more step if at least 0.1 s came since the last.

        Raises:
            WaveformError: the stream is already finished.
        """
        return [step for (step,) in self._streams.finish()]


def _check_settings(
    count: int, step_s: float, window_s: float, average: int, shortest_s: float
) -> None:
    for name, value in (("streams", count), ("average", average)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise SerbenchError(f"{name} is {value!r}; give a whole number of at least 1")
    if not shortest_s <= window_s <= LONGEST_WINDOW_S:
        raise SerbenchError(
            f"a window of {window_s:g} s; give one from {shortest_s:g} to {LONGEST_WINDOW_S:g} s"
        )
    if not (math.isfinite(step_s) and shortest_s <= step_s <= window_s):
        raise SerbenchError(
            f"a step of {step_s:g} s; give one from {shortest_s:g} s to the window's "
            f"{window_s:g} s: with longer steps, windows would miss sound"
        )


def _resampler(
    sample_rate: float | None, rate_hz: int, channels: int
) -> soxr.ResampleStream | None:
    rate = rate_hz if sample_rate is None else check_rate(sample_rate)
    if rate == rate_hz:
        return None
    return soxr.ResampleStream(rate, rate_hz, channels, dtype="float32", quality="HQ")
