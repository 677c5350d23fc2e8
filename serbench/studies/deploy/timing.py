"""Measures backends in interleaved rounds, and summarises the rounds."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serbench.api import SAMPLE_RATE_HZ, SerbenchError
from serbench.running.replay.run import Replay
from serbench.studies.deploy.backends import TriedBackend
from serbench.studies.deploy.device.instruments import EFFORT, free_cores, usable_cores
from serbench.studies.deploy.models import Converted, FoldModel
from serbench.studies.deploy.opened import describe_model
from serbench.studies.deploy.process import PATIENCE_S, WorkerError, call_worker, describe_backend
from serbench.studies.deploy.results import Effort, Import, Round
from serbench_runtime.audio.read import read_waveform

STANDARD = Effort.model_validate(EFFORT)
"""How much is measured by default."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A backend that takes part in the rounds."""

    candidate: TriedBackend
    converted: Converted


@dataclass(frozen=True, slots=True)
class Measured:
    """The measurements of all rounds.

    Attributes:
        rounds: rounds by backend; none for a backend that failed.
        failures: reasons of failures, by backend.
        pinned: whether every process was kept on its cores.
        imports: imports by module of ``SCALE``.
    """

    rounds: Mapping[str, tuple[Round, ...]]
    failures: Mapping[str, str]
    pinned: bool
    imports: Mapping[str, Import]


SCALE = ("numpy", "torch")
"""Modules whose import alone is measured too."""


def check_threads(threads: int) -> None:
    """
    Raises:
        SerbenchError: there are more threads than cores.
    """
    usable = usable_cores()
    if threads > usable:
        raise SerbenchError(
            f"--threads {threads}: this process may use only {usable} cores; with more threads "
            "than cores, threads wait for each other"
        )


def measure_rounds(
    replay: Replay,
    model: FoldModel,
    contestants: Sequence[Contestant],
    *,
    threads: int,
    rounds: int,
    effort: Effort = STANDARD,
    patience_s: float = PATIENCE_S,
    modules: Sequence[str] = SCALE,
) -> Measured:
    """Measure every backend once in each round, each time in a fresh process, in rotated order.

    Nothing is kept in the cache, because times of another hour cannot be compared. A backend that
    fails once is left out of all later rounds. The import of each of ``modules`` alone is measured
    in each round too.

    Raises:
        CorpusError: audio can no longer be read.
    """
    found: dict[str, list[Round]] = {each.candidate.name: [] for each in contestants}
    failures: dict[str, str] = {}
    pinned = []
    scale: dict[str, list[dict[str, Any]]] = {module: [] for module in modules}
    cores = free_cores(threads)
    total = rounds * len(contestants)
    advance = partial(replay.watch.advance, "measure")
    if not total:
        return Measured(rounds={}, failures={}, pinned=False, imports={})
    with tempfile.TemporaryDirectory(prefix="serbench-deploy-") as folder:
        audio = Path(folder) / "audio.npy"
        np.save(audio, heard_audio(replay, model, effort))
        for number in range(rounds):
            for module in modules:
                bare = call_worker("import", {"module": module, "cores": cores}, threads)
                scale[module].append(bare)
            for place, each in enumerate(rotated(contestants, number)):
                advance(number * len(contestants) + place, total)
                name = each.candidate.name
                if name in failures:
                    continue
                heard = {"audio": str(audio), "cores": cores, "effort": effort.model_dump()}
                task = {**_subject(model, each), **heard}
                try:
                    answer = call_worker("measure", task, threads, patience_s)
                except WorkerError as error:
                    failures[name] = f"measurement: {error}"
                    found[name] = []
                    continue
                found[name].append(Round.model_validate(answer["round"]))
                pinned.append(bool(answer["pinned"]))
    advance(total, total)
    held = {name: tuple(own) for name, own in found.items()}
    return Measured(held, failures, bool(pinned) and all(pinned), _imports(scale))


def _subject(model: FoldModel, contestant: Contestant) -> dict[str, Any]:
    """What a worker opens: the model, and the backend's conversion of it."""
    return {
        "backend": describe_backend(contestant.candidate.backend),
        "model": describe_model(model.deployed),
        "folder": str(contestant.converted.folder),
    }


def _imports(scale: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Import]:
    return {
        module: Import(
            seconds=[each["seconds"] for each in bare],
            peak_bytes=[each["peak_bytes"] for each in bare],
        )
        for module, bare in scale.items()
        if bare
    }


def rotated(contestants: Sequence[Contestant], number: int) -> Sequence[Contestant]:
    """The contestants in a round's order; each is first as often as any other."""
    shift = number % max(1, len(contestants))
    return [*contestants[shift:], *contestants[:shift]]


def heard_audio(replay: Replay, model: FoldModel, effort: Effort) -> NDArray[np.float32]:
    """Test utterances of a fold, joined, and repeated until the longest batch is full."""
    longest_s = max([*effort.lengths_s, *(each * effort.window_s for each in effort.batches)])
    wanted = round(longest_s * SAMPLE_RATE_HZ)
    pieces: list[NDArray[np.float32]] = []
    for utterance in replay.folds.outer[model.student.outer - 1].test.ids:
        pieces.append(read_waveform(replay.table.by_id[utterance].path))
        if sum(map(len, pieces)) >= wanted:
            break
    return np.resize(np.concatenate(pieces), wanted)


@dataclass(frozen=True, slots=True)
class Ratio:
    """Median latency divided by the reference's: the median over rounds, and the range."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Latency at batch 1 over all calls of all rounds; ``ratio`` to the reference, by round."""

    p50_s: float
    p90_s: float
    p99_s: float
    ratio: Ratio | None

    @property
    def percentiles_s(self) -> tuple[float, float, float]:
        """The 50th, 90th and 99th percentile."""
        return self.p50_s, self.p90_s, self.p99_s


@dataclass(frozen=True, slots=True)
class Speed:
    """A summary of a backend's rounds.

    Attributes:
        latency: latency by seconds of audio.
        fps: windows per second at batch 1, median over rounds.
        best_fps: windows per second at the best batch size.
        best_batch: the best batch size.
        real_time_factor: median latency of a window, divided by its length.
        start_s: time to load the runtime and the model, and to compute the first posterior; median
            over rounds.
        cold_s: the same from the start of the process.
        peak_bytes: greatest memory of the process, median over rounds; None if it is not known.
        idle_bytes: its memory before the runtime was loaded.
    """

    latency: Mapping[float, Latency]
    fps: float
    best_fps: float
    best_batch: int
    real_time_factor: float
    start_s: float
    cold_s: float
    peak_bytes: float | None
    idle_bytes: float | None


def summarize(rounds: Sequence[Round], reference: Sequence[Round], effort: Effort) -> Speed | None:
    """Summarise rounds, with ratios if the reference has as many rounds. None without rounds."""
    if not rounds:
        return None
    latency = {
        length_s: _latency(
            [each.latency_of(length_s) for each in rounds],
            [each.latency_of(length_s) for each in reference],
        )
        for length_s in effort.lengths_s
    }
    window_s = effort.window_s
    per_second = {1: _rate(1, [each.latency_of(window_s) for each in rounds])}
    for batch in effort.batches:
        per_second[batch] = _rate(batch, [each.batch_s[str(batch)] for each in rounds])
    best = max(per_second, key=lambda batch: per_second[batch])
    starts = [each.stages_s["open"] + each.stages_s["first call"] for each in rounds]
    return Speed(
        latency=latency,
        fps=per_second[1],
        best_fps=per_second[best],
        best_batch=best,
        real_time_factor=latency[window_s].p50_s / window_s,
        start_s=float(np.median(starts)),
        cold_s=float(np.median([sum(each.stages_s.values()) for each in rounds])),
        peak_bytes=_median([each.peak_bytes for each in rounds]),
        idle_bytes=_median([each.idle_bytes for each in rounds]),
    )


def _latency(own: Sequence[Sequence[float]], reference: Sequence[Sequence[float]]) -> Latency:
    p50, p90, p99 = np.percentile(np.concatenate([np.asarray(each) for each in own]), (50, 90, 99))
    return Latency(float(p50), float(p90), float(p99), ratio_of(own, reference))


def ratio_of(own: Sequence[Sequence[float]], reference: Sequence[Sequence[float]]) -> Ratio | None:
    """Ratio of the medians in each round, so that slow drift of the machine does not affect it."""
    if len(own) != len(reference):
        return None
    ratios = [
        float(np.median(one) / np.median(other)) for one, other in zip(own, reference, strict=True)
    ]
    return Ratio(float(np.median(ratios)), min(ratios), max(ratios))


def _rate(batch: int, calls_s: Sequence[Sequence[float]]) -> float:
    """Windows per second, median over rounds."""
    return float(np.median([batch * len(calls) / sum(calls) for calls in calls_s]))


def _median(values: Sequence[int | None]) -> float | None:
    told = [each for each in values if each is not None]
    return float(np.median(told)) if told else None
