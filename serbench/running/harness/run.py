"""One run: Algorithm 1 over every method, seed and fold, from a plan to a certified result."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from serbench.errors import OutOfTimeError
from serbench.files.atomic import check_writable
from serbench.files.cache_use import using_cache
from serbench.files.threads import limited_threads
from serbench.protocol.guard.certify import certify
from serbench.protocol.guard.seal import Seal
from serbench.running.harness.canary import sing
from serbench.running.harness.describe import describe, run_folder
from serbench.running.harness.inputs import load_inputs
from serbench.running.harness.nested import Nested
from serbench.running.harness.observer import Deadline, Observer
from serbench.running.harness.prepare import prepare
from serbench.running.harness.resources import Resources
from serbench.running.harness.results import utterance_rows
from serbench.running.harness.tasks import scored_segments
from serbench.running.plan.records import RunPlan
from serbench.running.store.environment import environment
from serbench.running.store.run import RunStore


def run(plan: RunPlan, resources: Resources, watch: Observer) -> Path:
    """Run a plan, or its unfinished part, and return the run's folder.

    Raises:
        OutOfTimeError: the time is ``resources.executor.until``; the same command
            continues the run.
        SerbenchError: any of its subclasses; finished fits are cached.
    """
    check_writable(resources.folder or resources.runs, "--out")
    until = resources.executor.until
    with using_cache(resources.cache):
        if until is None:
            return _run(plan, resources, watch)
        try:
            return _run(plan, resources, Deadline(watch, until))
        except OutOfTimeError:
            raise OutOfTimeError(
                "the time of --stop-after is over. Finished fits are kept. To continue, run the "
                f"same command again: {resources.command}"
            ) from None


def _run(plan: RunPlan, resources: Resources, watch: Observer) -> Path:
    """Run a plan while the cache is locked, so that nothing the run needs is removed."""
    clock = [time.perf_counter()]
    prepared = prepare(plan, resources, watch)
    folds, before = prepared.folds, prepared.evidence
    inputs = load_inputs(
        plan, folds.table, prepared.audio, resources.cache, resources.device, watch,
        resources.executor,
    )  # fmt: skip
    clock.append(time.perf_counter())
    description = describe(plan, prepared, inputs.model_digests, resources)
    store = RunStore(run_folder(plan, description["digest"], resources))
    store.create(description)
    store.write_text("utterances.csv", utterance_rows(folds))
    nested = Nested(plan, inputs, folds, store, resources, watch)
    watch.run_started(nested.event)
    with limited_threads():
        try:
            canary = sing(plan, inputs, folds, store, resources, watch)
            clock.append(time.perf_counter())
            nested.pretrain()
            clock.append(time.perf_counter())
            nested.ask_teachers()
            clock.append(time.perf_counter())
            students = nested.fit()
        finally:
            resources.executor.shut_down()
        clock.append(time.perf_counter())
        predictions = pd.concat([*students, *nested.score_teachers()], ignore_index=True)
    store.write_predictions(predictions)
    evidence = replace(
        before,
        plan_digest=description["digest"],
        segments=scored_segments(plan, folds.table, folds.outer),
        fitted=nested.fitted,
        openings=Seal(store.seal_path).openings(),
        canary=canary,
        searches=[record for choice in nested.choices if (record := choice.record)],
    )
    certificate = certify(folds.table, folds.outer, folds.inner, evidence)
    store.write_json(
        "certificate", {**certificate.model_dump(mode="json"), "digest": certificate.digest}
    )
    store.write_json("environment", environment(resources.plugins))
    clock.append(time.perf_counter())
    store.write_json("timing", _timing(clock, nested, resources))
    watch.run_finished(replace(nested.event, certificate=certificate.digest))
    return store.folder


STAGES = ("load_s", "canary_s", "pretrain_s", "targets_s", "fits_wall_s", "score_s")
"""Stages of a run, in order."""


def _timing(clock: Sequence[float], nested: Nested, resources: Resources) -> dict[str, float]:
    """The content of timing.json: seconds of each stage, from the times between them, and
    of the fits.
    """
    stages = (end - start for start, end in itertools.pairwise(clock))
    return {
        "wall_s": clock[-1] - clock[0],
        **dict(zip(STAGES, stages, strict=True)),
        "fit_s": nested.fresh_fit_s,
        "step_s": nested.fresh_step_s,
        "workers": resources.executor.workers,
        "fits_run": nested.fits_run,
        "fits_cached": nested.fits_cached,
    }
