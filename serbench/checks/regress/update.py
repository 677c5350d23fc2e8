"""Makes a golden file from a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from serbench.api import PluginError, StoreError
from serbench.checks.regress.facts import golden_run, run_tallies, shared_settings
from serbench.checks.regress.gate import Timing
from serbench.checks.regress.golden import (
    DIGITS,
    SCHEMA_VERSION,
    Allowed,
    Golden,
    GoldenLatency,
    GoldenMethod,
)
from serbench.checks.regress.measure import BUDGET_S, WARM_UP_S, Timed
from serbench.checks.regress.tallies import Tally
from serbench.errors import numbered
from serbench.results.report.settings import duration
from serbench.running.store.finished import StoredRun

BACKEND, AUDIO_S = "onnxruntime", 3.0
"""Backend and audio length of a first golden file: the exported graph, on one window."""


def wanted_entries(
    run: StoredRun, old: Golden | None, backends: Sequence[str], path: Path
) -> tuple[GoldenLatency, ...]:
    """Entries of the old file, and one for each named backend that it lacks.

    Without an old file and without names, this is only ONNX Runtime. New entries are for the run's
    first method.

    Raises:
        StoreError: an old entry is for a method that the run does not have.
    """
    methods = [str(method["name"]) for method in run.plan["methods"]]
    entries = list(old.latency) if old else []
    named = [name for text in backends for name in map(str.strip, text.split(",")) if name]
    if not (old or named):
        named = [BACKEND]
    for name in dict.fromkeys(named):
        if name not in {entry.backend for entry in entries}:
            entries.append(GoldenLatency(method=methods[0], backend=name, audio_s=AUDIO_S))
    lost = [entry.what for entry in entries if entry.method not in methods]
    if lost:
        raise StoreError(
            f"{path} has [[latency]] entries of methods that {run.name} does not have: "
            f"{', '.join(lost)}; remove them, or run those methods too"
        )
    return tuple(entries)


def forecast(
    run: StoredRun, entries: Sequence[GoldenLatency], rounds: int, start_s: float
) -> Iterator[str]:
    """How long an update takes, and how long a gate takes that repeats the run, as far as known.

    Args:
        run: the new reference run.
        entries: models whose latency will be measured.
        rounds: number of rounds in which they and the reference alternate.
        start_s: how long a process takes to start.
    """
    if not entries:
        yield "Nothing is trained or measured: the update takes seconds."
    else:
        parts = {(each.method, each.backend) for each in entries}
        methods = {each.method for each in entries}
        lengths = {(each.method, each.audio_s) for each in entries}
        processes = rounds * (len(parts) + len(methods))
        calls_s = (WARM_UP_S + BUDGET_S) * rounds * sum(
            1 + len({backend for own, backend in parts if own == method}) for method, _ in lengths
        )  # fmt: skip
        yield (
            "Nothing is trained. Latency takes about "
            f"{duration(calls_s + processes * start_s)}: {numbered(rounds, 'round')} of "
            f"{numbered(len(parts), 'model')} and the reference model, in {processes} processes "
            f"that each take {duration(start_s)} to start."
        )
        known = run.timing.get("load_s")
        yield "First, the corpus is read and the models are converted: " + (
            f"unknown duration; the run took {duration(known)} to read it."
            if known is not None
            else "unknown duration; the run has no record of it."
        )
    if fits := run.fits:
        total_s = sum(float(fit["seconds"]) for fit in fits)
        yield (
            f"To repeat the run from scratch, one worker trains for {duration(total_s)}: the "
            f"recorded time of the run's {numbered(len(fits), 'fit')}."
        )
    else:
        yield "How long it takes to repeat the run is unknown: it has no records of fits."


def make_golden(run: StoredRun, old: Golden | None, timing: Timing | None) -> Golden:
    """Make a golden file of a run's results, with the user's settings of the old file.

    Args:
        run: a trusted run.
        old: None: no golden file exists yet.
        timing: None: entries of the old file stay as they are.

    Raises:
        StoreError: the run is incomplete.
        PluginError: an entry could not be measured.
    """
    tallies = run_tallies(run)
    shared, own = shared_settings(run)
    first = next(iter(tallies.values()))
    counts = first.counts // len(first.seeds)
    methods = {}
    for name, found in tallies.items():
        kept = old.methods.get(name) if old else None
        methods[name] = GoldenMethod(
            seeds=list(found.seeds),
            ua=round(found.score("ua"), DIGITS),
            wa=round(found.score("wa"), DIGITS),
            margin=kept.margin if kept else None,
            limit=kept.limit if kept else None,
            hits=_rows(found, found.hits),
            settings=own.get(name, {}),
        )
    return Golden(
        schema_version=SCHEMA_VERSION,
        run=golden_run(run),
        allowed=old.allowed if old else Allowed(),
        counts=_rows(first, counts),
        methods=methods,
        reference=timing.reference if timing else (old.reference if old else None),
        latency=[_measured(each) for each in timing.found] if timing else _kept(old),
        settings=shared,
    )


def _rows(found: Tally, table: np.ndarray) -> dict[str, list[int]]:
    return {
        speaker: [int(each) for each in row]
        for speaker, row in zip(found.speakers, table, strict=True)
    }


def _kept(old: Golden | None) -> list[GoldenLatency]:
    return list(old.latency) if old else []


def _measured(timed: Timed) -> GoldenLatency:
    """
    Raises:
        PluginError: the entry could not be measured.
    """
    if timed.failure is not None or timed.size_bytes is None:
        raise PluginError(
            f"{timed.entry.what} could not be measured: {timed.failure}; nothing was written"
        )
    return timed.entry.model_copy(
        update={
            "ratio": round(float(np.median(timed.ratios)), 4),
            "ratio_range": (round(min(timed.ratios), 4), round(max(timed.ratios), 4)),
            "size_bytes": timed.size_bytes,
        }
    )
