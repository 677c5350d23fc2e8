"""Latency of a run's models compared with the reference model's, and their sizes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from serbench.api import PluginError, SerbenchError
from serbench.checks.regress.golden import GoldenLatency
from serbench.checks.regress.ratios import median_bounds, round_ratio
from serbench.checks.regress.reference import Reference, ReferenceBackend, ReferenceParams
from serbench.running.registry.lookup import Registry
from serbench.running.replay.run import Replay
from serbench.studies.deploy.backends import TriedBackend
from serbench.studies.deploy.device.instruments import usable_cores
from serbench.studies.deploy.models import (
    Converted,
    FoldModel,
    convert_folds,
    export_folds,
)
from serbench.studies.deploy.process import WorkerError
from serbench.studies.deploy.results import Effort
from serbench.studies.deploy.timing import Contestant, measure_rounds

ROUNDS = 8
"""Default; with 95 % confidence, the second lowest of 8 ratios is below their median."""

BUDGET_S, WARM_UP_S = 0.5, 0.1
"""Seconds for the calls of one model with one length of audio in one round, and for the warm-up."""

OWN = "reference"
"""Name of the reference among backends."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Conditions of the measurement.

    Attributes:
        reference: the model by whose latency others are divided.
        budget_s: time for the calls of one model in one round.
    """

    reference: Reference
    threads: int = 1
    rounds: int = ROUNDS
    budget_s: float = BUDGET_S


@dataclass(frozen=True, slots=True)
class Timed:
    """Measurements for an entry of the golden file.

    Attributes:
        ratios: time of a quick call divided by the reference's, in each round; empty if it failed.
        size_bytes: None if the model could not be converted.
        failure: why there are no ratios; None if there are.
        seconds: wall time of its calls in all rounds, including those of the reference.
    """

    entry: GoldenLatency
    ratios: tuple[float, ...]
    size_bytes: int | None
    failure: str | None
    seconds: float = 0.0


def entry_backends(
    registry: Registry, entries: Sequence[GoldenLatency], where: str
) -> dict[str, TriedBackend]:
    """The backends that entries name.

    Args:
        registry: the registry that has the backends.
        entries: entries of a golden file.
        where: name of the file, for messages.

    Raises:
        RegistryError: a name is unknown.
        PluginError: one cannot run here; the message has every reason.
    """
    found: dict[str, TriedBackend] = {}
    for name in dict.fromkeys(entry.backend for entry in entries):
        backend = registry.make("backends", name)
        found[name] = TriedBackend(name, backend, backend.unavailable())
    missing = [each for each in found.values() if each.unavailable]
    if missing:
        reasons = "; ".join(f"{each.name}: {each.unavailable}" for each in missing)
        raise PluginError(
            f"backends of {where} cannot run here: {reasons}. Nothing was compared: install "
            "them, remove their [[latency]] entries, or leave latency out with --no-latency"
        )
    return found


def time_entries(
    replay: Replay,
    entries: Sequence[GoldenLatency],
    backends: Mapping[str, TriedBackend],
    conditions: Conditions,
) -> tuple[Timed, ...]:
    """Time every entry, method by method, alternating reference and backends.

    Raises:
        StoreError: the run is leaky, or has no such method.
        PluginError: the reference cannot be run.
        SerbenchError: there are more threads than cores, or too few rounds.
    """
    replay.check_proper()
    median_bounds([1.0] * conditions.rounds)  # raises if there are too few
    if conditions.threads > usable_cores():
        raise SerbenchError(
            f"the golden file asks for {conditions.threads} threads, but this process may use "
            f"{usable_cores()} cores; set threads of [reference] and make the file again with "
            "--update"
        )
    found: dict[GoldenLatency, Timed] = {}
    for method in dict.fromkeys(entry.method for entry in entries):
        own = [entry for entry in entries if entry.method == method]
        seed = min(each.seed for each in replay.students_of([method]))
        (model,) = export_folds(replay, replay.fold_networks(method, [seed])[:1])
        for timed in _time_model(replay, model, own, backends, conditions):
            found[timed.entry] = timed
    return tuple(found[entry] for entry in entries)


def _time_model(
    replay: Replay,
    model: FoldModel,
    entries: Sequence[GoldenLatency],
    backends: Mapping[str, TriedBackend],
    conditions: Conditions,
) -> list[Timed]:
    """Time all entries of one model."""
    reference = conditions.reference
    lengths = sorted({entry.audio_s for entry in entries})
    effort = Effort(
        lengths_s=lengths,
        window_s=lengths[0],
        batches=[],
        warm_up_calls=3,
        warm_up_s=WARM_UP_S,
        budget_s=conditions.budget_s,
        least_calls=10,
        most_calls=1000,
    )
    converted: dict[str, Converted] = {}
    failures: dict[str, str] = {}
    for name in dict.fromkeys(entry.backend for entry in entries):
        try:
            (converted[name],) = convert_folds(backends[name], [model], replay.cache)
        except WorkerError as error:
            failures[name] = str(error)
    with tempfile.TemporaryDirectory(prefix="serbench-regress-") as empty:
        backend = ReferenceBackend(ReferenceParams(model=reference.model))
        own = Contestant(TriedBackend(OWN, backend, None), Converted(Path(empty), reference.sha256))
        others = [Contestant(backends[name], each) for name, each in converted.items()]
        measured = measure_rounds(
            replay,
            model,
            [own, *others],
            threads=conditions.threads,
            rounds=conditions.rounds,
            effort=effort,
            modules=(),
        )
    if OWN in measured.failures:
        raise PluginError(f"the reference {reference.model}: {measured.failures[OWN]}")
    failures |= measured.failures
    below = measured.rounds[OWN]
    made = []
    for entry in entries:
        name, length_s = entry.backend, entry.audio_s
        pairs = [
            (a.latency_of(length_s), b.latency_of(length_s))
            for a, b in zip(measured.rounds.get(name, ()), below, strict=False)
        ]
        made.append(
            Timed(
                entry=entry,
                ratios=tuple(round_ratio(a, b) for a, b in pairs),
                size_bytes=converted[name].size_bytes if name in converted else None,
                failure=failures.get(name),
                seconds=sum(sum(a) + sum(b) for a, b in pairs),
            )
        )
    return made
