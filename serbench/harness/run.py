"""One run: Algorithm 1 over every method, seed and fold, from a plan to a certified result."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

import serbench
from serbench.api import StoreError
from serbench.corpus import CorpusTable
from serbench.execute import shut_down_workers
from serbench.harness.code import code_digests
from serbench.harness.inputs import Inputs, load_inputs, load_table
from serbench.harness.nested import Nested, searches
from serbench.harness.observer import Observer
from serbench.harness.resources import Resources
from serbench.leakage import Seal, certify
from serbench.plan import RunPlan, digest_of
from serbench.splits import Split, inner_splits, outer_splits
from serbench.store import RunStore, environment


def run(plan: RunPlan, resources: Resources, watch: Observer) -> Path:
    """Run a plan, or what of it is not yet done, and return the run's folder.

    Raises:
        SerbenchError: see its subclasses; whatever was fitted until then is kept.
    """
    started = time.perf_counter()
    _check_writable(resources.folder or resources.runs)
    table = load_table(plan, resources.data_dir, resources.cache, resources.allow_incomplete, watch)
    outer = outer_splits(table, plan.folds, plan.protocol.kfold)
    inner = _inner(plan, table, outer)
    certify(table, outer, inner)
    inputs = load_inputs(plan, table, resources.cache, resources.device, watch)
    loaded = time.perf_counter()
    description = _describe(plan, inputs, outer, resources)
    store = RunStore(resources.folder or resources.runs / _folder_name(plan, description["digest"]))
    store.create(description)
    nested = Nested(plan, inputs, outer, inner, store, resources, watch)
    nested.targets = nested.fit_targets()
    watch.run_started(nested.event)
    targeted = time.perf_counter()
    try:
        refits = nested.refit(nested.choose())
    finally:
        shut_down_workers()
    fitted = time.perf_counter()
    predictions = pd.concat([*nested.score(refits), *nested.score_teachers()], ignore_index=True)
    store.write_predictions(predictions)
    certificate = certify(
        table,
        outer,
        inner,
        segments=nested.scored_segments(),
        fitted=nested.fitted,
        seal=Seal(store.seal_path),
    )
    store.write_json(
        "certificate", {**certificate.model_dump(mode="json"), "digest": certificate.digest}
    )
    store.write_json("environment", environment(resources.plugins))
    finished = time.perf_counter()
    store.write_json(
        "timing",
        {
            "wall_s": finished - started,
            "load_s": loaded - started,
            "targets_s": targeted - loaded,
            "fits_wall_s": fitted - targeted,
            "score_s": finished - fitted,
            "fit_s": nested.fresh_fit_s,
            "step_s": nested.fresh_step_s,
            "workers": resources.workers,
            "fits_run": nested.fits_run,
            "fits_cached": nested.fits_cached,
        },
    )
    watch.run_finished(nested.event)
    return store.folder


def _check_writable(folder: Path) -> None:
    """Tell now, not after an hour, that no result can be stored.

    Raises:
        StoreError: a file is in the way, or the folder may not be written to.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise StoreError(f"{there} is a file, so {folder} cannot be written; choose another --out")
    if not os.access(there, os.W_OK | os.X_OK):
        raise StoreError(f"{there} cannot be written to, so {folder} cannot; choose another --out")


def _inner(plan: RunPlan, table: CorpusTable, outer: Sequence[Split]) -> list[tuple[Split, ...]]:
    """Inner folds of each outer fold, where any method chooses anything."""
    if not any(searches(method) for method in plan.methods):
        return []
    return [inner_splits(table, outer, index, plan.protocol.inner) for index in range(len(outer))]


def _describe(
    plan: RunPlan, inputs: Inputs, outer: Sequence[Split], resources: Resources
) -> dict[str, Any]:
    """plan.json: the plan, what it was run on, and the digest that names the result."""
    table = inputs.table
    folds = [{"name": split.name, "test_units": list(split.test.units)} for split in outer]
    description = plan.describe()
    determining = {
        "plan": description,
        "corpus": table.digest,
        "folds": [[split.name, list(split.test.ids)] for split in outer],
        "models": dict(inputs.model_digests),
        "version": serbench.__version__,
        "device": resources.device,
        "code": code_digests(plan),
    }
    dataset = {
        "name": plan.dataset,
        "corpus": plan.spec.corpus,
        "labels": list(table.labels),
        "corpus_digest": table.digest,
        "utterances": len(table.utterances),
        "title": table.card.title,
    }
    return {
        "digest": digest_of(determining),
        "serbench_version": serbench.__version__,
        **description,
        "dataset": dataset,
        "seeds": list(range(plan.protocol.seeds)),
        "outer": folds,
        "folds_digest": digest_of(determining["folds"]),
        "model_digests": dict(inputs.model_digests),
        "cards": {name: asdict(e.card) for name, e in inputs.embeddings.items()},
        "command": resources.command,
    }


def _folder_name(plan: RunPlan, digest: str) -> str:
    methods = "-".join(method.name.replace("+", "-") for method in plan.methods)
    return f"{plan.dataset}-{methods[:60]}-{plan.profile}-{digest[:8]}"
