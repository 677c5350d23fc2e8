"""L10: the whole pipeline on permuted labels, a few times."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd

from serbench.learning.evaluate import score
from serbench.protocol.guard.canary import CanaryResult, canary_result, check_canary
from serbench.running.harness.folds import Folds
from serbench.running.harness.inputs import Inputs
from serbench.running.harness.nested import Nested
from serbench.running.harness.observer import CanaryObserver, Observer
from serbench.running.harness.resources import Resources
from serbench.running.plan.records import RunPlan
from serbench.running.store.run import RunStore


def sing(
    plan: RunPlan,
    inputs: Inputs,
    folds: Folds,
    store: RunStore,
    resources: Resources,
    watch: Observer,
) -> tuple[CanaryResult, ...]:
    """Fit and score every method, and every teacher's head, on permuted training labels (L10).

    The labels of each outer training side are permuted among its utterances. Its inner folds use
    the same permuted labels; test labels are the true ones. Everything else is as in the run
    itself, except that training is shorter. Nothing is done if the plan has no canary.

    Raises:
        LeakageError: L10, a method or a teacher's head beats chance.
    """
    if plan.canary is None:
        return ()
    repeats = plan.protocol.canary
    for repeat in range(1, repeats + 1):
        watch.announce(f"canary: repeat {repeat} of {repeats} on permuted labels")
        own = RunStore(_folder(store.folder, repeat))
        heard = CanaryObserver(watch, repeat)
        nested = Nested(plan.canary, inputs, folds, own, resources, heard, permutation=repeat)
        nested.pretrain()
        nested.ask_teachers()
        students = nested.fit()
        rows = pd.concat([*students, *nested.score_teachers()], ignore_index=True)
        own.write_predictions(rows)
    results = canary_results(store.folder, repeats, inputs.table.labels)
    check_canary(results)
    watch.announce("canary: " + "; ".join(map(str, results)))
    return results


def canary_results(folder: Path, repeats: int, labels: tuple[str, ...]) -> tuple[CanaryResult, ...]:
    """Results of the stored predictions of each repeat; ``folder`` is the run's folder."""
    scores: dict[str, list[float]] = defaultdict(list)
    for repeat in range(1, repeats + 1):
        rows = pd.read_parquet(_folder(folder, repeat) / "predictions.parquet")
        for method, ua in _pooled_ua(rows, labels).items():
            scores[method].append(ua)
    return tuple(canary_result(method, uas, len(labels)) for method, uas in scores.items())


def _folder(run: Path, repeat: int) -> Path:
    return run / "canary" / f"repeat-{repeat}"


def _pooled_ua(predictions: pd.DataFrame, labels: tuple[str, ...]) -> dict[str, float]:
    """UA of each method, pooled over its seeds and folds."""
    place = {label: row for row, label in enumerate(labels)}
    return {
        str(method): score(
            np.array([place[label] for label in rows["label"]]),
            np.array([place[label] for label in rows["predicted"]]),
            len(labels),
        ).ua
        for method, rows in predictions.groupby("method", sort=False)
    }
