"""Finds failed training: one class for everything, chance, a loss that did not fall, odd folds.

Every rule has a fixed threshold, given in ``docs/howto-report.md``. The rules look at predictions
and at the histories of fits, never at another method.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

import pandas as pd

from serbench.errors import listed
from serbench.results.compare.names import shown_name
from serbench.results.compare.records import MethodResult
from serbench.results.report.results import Results
from serbench.results.table.formats import percent
from serbench.running.store.finished import StoredRun

ONE_CLASS = 0.95
"""A model predicts only one class if at least this share of its predictions are of it."""

AT_CHANCE = 1.25
"""UA is at chance up to this multiple of it: with five classes, up to 25 %."""

NOT_FALLEN = 0.98
"""A loss has not fallen if its last epoch is at least this part of its first one."""

NO_RECALL, FEW = 0.05, 20
"""A class is hardly recognised below this recall; classes with fewer utterances are not judged."""

FAR, DEVIATIONS, LEAST_FOLDS = 0.20, 3.0, 4
"""A fold is far from the others if its UA differs from their mean by more than 20 points and by
more than three of their standard deviations; from four folds on."""

NAMED = 4
"""Number of folds or classes that a line names."""


def training_problems(results: Results) -> tuple[str, ...]:
    """A line for each problem in the training of a method; empty: nothing was found.

    A fold that a line explains does not appear in later lines of the same method.
    """
    return tuple(
        line for result in results.comparison.methods for line in _of_method(results, result)
    )


def _of_method(results: Results, result: MethodResult) -> Iterator[str]:
    name, chance = shown_name(result.method), 1 / len(results.comparison.labels)
    every = {fold.outer for fold in result.folds}
    stuck = _one_class(results.predictions.loc[results.predictions["method"] == result.method])
    if stuck:
        said = sorted(set(stuck.values()))
        yield (
            f"{name} predicts one class ({listed(said, NAMED)}) for at least "
            f"{100 * ONE_CLASS:.0f} % of the test utterances{_in_folds(stuck, every)}."
        )
    low = [f for f in result.folds if f.ua <= AT_CHANCE * chance and f.outer not in stuck]
    if low:
        ua = percent(fmean(fold.ua for fold in low))
        where = _in_folds([fold.outer for fold in low], every)
        yield f"{name} is at chance{where}: UA {ua} %, chance {percent(chance)} %."
    yield from _fits(results, result.method, name, chance)
    if not stuck.keys() >= every:
        yield from _classes(result, name, results.comparison.labels)
    explained = {*stuck, *(fold.outer for fold in low)}
    yield from _far_folds(result, name, explained)


def _one_class(rows: pd.DataFrame) -> dict[int, str]:
    """Outer folds whose model nearly always predicts the same class, with any seed, and this class.

    Folds in which nearly all test utterances are of that class do not count.
    """
    found: dict[int, str] = {}
    for key, part in rows.groupby(["outer", "seed"]):
        shares = part["predicted"].value_counts(normalize=True)
        label = str(shares.index[0])
        real = float((part["label"] == label).to_numpy().mean())
        if float(shares.iloc[0]) >= ONE_CLASS and real < ONE_CLASS:
            found[int(key[0])] = label  # pyright: ignore[reportIndexIssue] - the key is a pair
    return found


def _classes(result: MethodResult, name: str, labels: Sequence[str]) -> Iterator[str]:
    """Classes that are hardly ever recognised, over all folds."""
    counts = result.confusion.sum(axis=1)
    missed = [
        f"{labels[at]} (recall {percent(result.confusion[at, at] / count)} %)"
        for at, count in enumerate(counts)
        if count >= FEW * result.seeds and result.confusion[at, at] < NO_RECALL * count
    ]
    if missed:
        yield f"{name} hardly recognises {listed(missed, NAMED)}."


def _far_folds(result: MethodResult, name: str, explained: set[int]) -> Iterator[str]:
    """Folds whose UA is far from that of the others, below or above."""
    if len(result.folds) < LEAST_FOLDS:
        return
    for fold in result.folds:
        others = [each.ua for each in result.folds if each is not fold]
        apart = abs(fold.ua - fmean(others))
        if apart > max(FAR, DEVIATIONS * stdev(others)) and fold.outer not in explained:
            yield (
                f"{name} in fold {fold.outer}: UA {percent(fold.ua)} %, far from the other folds "
                f"({percent(min(others))} to {percent(max(others))} %)."
            )


def _fits(results: Results, method: str, name: str, chance: float) -> Iterator[str]:
    """Refits whose loss did not fall; folds whose inner fits all stay at chance."""
    info = results.methods[method]
    planned = info.plan.get("name")
    runs = [run for run in results.runs if run.folder == info.folder and planned is not None]
    fits = [fit for run in runs for fit in _histories(run, planned)]
    refits = [fit for fit in fits if fit["inner"] is None]
    flat = [int(fit["outer"]) for fit in refits if not _fell(fit)]
    if flat:
        yield (
            f"The training loss of {name} did not fall in {len(flat)} of {len(refits)} refits "
            f"(fold {listed(map(str, sorted(set(flat))), NAMED)})."
        )
    best: dict[int, float] = {}
    for fit in fits:
        scores = [each["validation_ua"] for each in fit["history"] if each.get("validation_ua")]
        if fit["inner"] is not None and scores:
            best[int(fit["outer"])] = max(best.get(int(fit["outer"]), 0.0), *scores)
    stuck = [outer for outer, ua in best.items() if ua <= AT_CHANCE * chance]
    if stuck:
        where = _in_folds(stuck, set(best))
        yield f"No inner fit of {name} was better than chance on its validation side{where}."


def _histories(run: StoredRun, method: object) -> list[Mapping[str, Any]]:
    """Fits of a method that were trained over epochs."""
    return [fit for fit in run.fits if fit["method"] == method and fit["history"]]


def _fell(fit: Mapping[str, Any]) -> bool:
    """Whether a fit's loss fell, or could not fall: with fewer than two epochs, or from 0."""
    terms = (each["terms"] for each in fit["history"])
    losses = [float(each["total"]) for each in terms if "total" in each]
    return len(losses) < 2 or losses[0] <= 0 or losses[-1] < NOT_FALLEN * losses[0]


def _in_folds(outers: Sequence[int] | Mapping[int, str], every: set[int]) -> str:
    """For instance `` in fold 2, 3``; `` in every fold`` if all of several, empty if the only
    one.
    """
    found = sorted(set(outers))
    if set(found) == every:
        return "" if len(every) == 1 else " in every fold"
    return f" in fold {listed(map(str, found), NAMED)}"
