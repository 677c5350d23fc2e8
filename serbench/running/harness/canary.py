"""L10: the whole pipeline on permuted labels, a few times."""

from __future__ import annotations

from collections import defaultdict

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
    """Fit and score every method, and every teacher's head, on permuted training labels.

    The labels of each outer training side are permuted among its utterances, and its inner folds
    share them; test labels are the true ones. Everything else is as in the run itself, but for a
    cheaper training. Nothing is done where the plan has no canary.

    Raises:
        LeakageError: L10, a method or a teacher's head beats chance.
    """
    if plan.canary is None:
        return ()
    repeats = plan.protocol.canary
    scores: dict[str, list[float]] = defaultdict(list)
    for repeat in range(1, repeats + 1):
        watch.announce(f"canary: repeat {repeat} of {repeats} on permuted labels")
        own = RunStore(store.folder / "canary" / f"repeat-{repeat}")
        heard = CanaryObserver(watch, repeat)
        nested = Nested(plan.canary, inputs, folds, own, resources, heard, permutation=repeat)
        nested.pretrain()
        nested.ask_teachers()
        refits = nested.refit(nested.choose())
        rows = pd.concat([*nested.score(refits), *nested.score_teachers()], ignore_index=True)
        own.write_predictions(rows)
        for method, ua in pooled_ua(rows, inputs.table.labels).items():
            scores[method].append(ua)
    results = tuple(
        canary_result(method, values, len(inputs.table.labels)) for method, values in scores.items()
    )
    check_canary(results)
    watch.announce("canary: " + "; ".join(map(str, results)))
    return results


def pooled_ua(predictions: pd.DataFrame, labels: tuple[str, ...]) -> dict[str, float]:
    """UA of each method, its seeds and folds pooled."""
    place = {label: row for row, label in enumerate(labels)}
    return {
        str(method): score(
            np.array([place[label] for label in rows["label"]]),
            np.array([place[label] for label in rows["predicted"]]),
            len(labels),
        ).ua
        for method, rows in predictions.groupby("method", sort=False)
    }
