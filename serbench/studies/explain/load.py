"""Reads what a method of a run read of its teachers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from serbench.api import StoreError
from serbench.errors import near_names
from serbench.running.store.finished import StoredRun
from serbench.running.store.run import RunStore
from serbench.running.store.tables import UTTERANCE_COLUMNS
from serbench.studies.explain.cases import make_cases
from serbench.studies.explain.readings import (
    POSTERIOR,
    RELIABLE,
    WEIGHTS,
    FitReadings,
    checked_readings,
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a method's loss read in its refits.

    Attributes:
        planned: the method's entry in the plan.
        fits: by outer fold, then by seed.
        cases: see ``make_cases``.
    """

    run: StoredRun
    method: str
    planned: Mapping[str, Any]
    fits: tuple[FitReadings, ...]
    cases: pd.DataFrame

    @property
    def dataset(self) -> str:
        """The corpus's name."""
        return str(self.run.plan["dataset"]["name"])

    @property
    def labels(self) -> tuple[str, ...]:
        """The C classes."""
        return tuple(self.run.plan["dataset"]["labels"])

    @property
    def teachers(self) -> tuple[str, ...]:
        """The m teachers, in the order of the weights."""
        return self.fits[0].teachers

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the readings, the same in all fits."""
        return self.fits[0].names

    def has(self, *names: str) -> bool:
        """Whether every fit has all these readings."""
        return set(names) <= set(self.names)


def explained_methods(run: StoredRun) -> tuple[str, ...]:
    """The methods that have readings, in the plan's order."""
    store = RunStore(run.folder)
    planned = (str(each["name"]) for each in run.plan["methods"])
    return tuple(
        name for name in planned if any(store.readings_path(name, 1, 0).parent.glob("*.npz"))
    )


def load_explanation(run: StoredRun, method: str | None = None) -> Explanation:
    """Read the readings of a finished run's method.

    Args:
        run: the run of the method.
        method: may be left out if only one method has readings.

    Raises:
        StoreError: there is no such method, it has no readings, or several have and none is
            named; readings are missing, damaged, do not fit the run, show nothing, or are of
            utterances that their fold tests.
    """
    store = RunStore(run.folder)
    planned = {str(each["name"]): each for each in run.plan["methods"]}
    name = _choose(run, explained_methods(run), planned, method)
    utterances = _utterances(run.folder)
    fits = tuple(
        _fit_readings(run, store, name, outer, seed, utterances)
        for outer in range(1, len(run.plan["outer"]) + 1)
        for seed in range(run.seeds)
    )
    first = fits[0]
    for fit in fits:
        if (set(fit.names), fit.teachers) != (set(first.names), first.teachers):
            raise StoreError(
                f"the readings of {name} differ between {first.fold} and {fit.fold}: "
                f"{', '.join(first.names)} and {', '.join(fit.names)}; make the run again"
            )
    if not _shows_anything(first):
        raise StoreError(
            f"the readings of {name} in {run.name} contain nothing that this command can show: "
            f"{', '.join(first.names) or 'no array'}"
        )
    cases = make_cases(fits, utterances, run.plan["dataset"]["labels"])
    return Explanation(run, name, planned[name], fits, cases)


def _shows_anything(fit: FitReadings) -> bool:
    weighed = WEIGHTS in fit.names and len(fit.teachers) > 1
    return bool(fit.scalars) or weighed or RELIABLE in fit.names or POSTERIOR in fit.names


def _choose(
    run: StoredRun, recorded: Sequence[str], planned: Mapping[str, Any], method: str | None
) -> str:
    """The method to explain.

    Raises:
        StoreError: see ``load_explanation``.
    """
    if method is not None and method not in planned:
        near = near_names(method, planned, 1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise StoreError(f"{run.name} has no method {method}{hint} It has {', '.join(planned)}")
    if method is None and len(recorded) > 1:
        raise StoreError(
            f"{len(recorded)} methods of {run.name} have readings: {', '.join(recorded)}; choose "
            "one with --method"
        )
    chosen = method or next(iter(recorded), None)
    if chosen is not None and chosen in recorded:
        return chosen
    asked = [chosen] if chosen else list(planned)
    if not any(planned[each].get("teachers") for each in asked):
        alone = f"method {chosen} of {run.name} learns" if chosen else f"{run.name} learns"
        raise StoreError(f"{alone} without a teacher, so there is nothing to explain")
    what = f"method {chosen} of {run.name} has" if chosen else f"{run.name} has"
    raise StoreError(
        f"{what} no readings: its loss records none, or an older version of serbench made the "
        "run; in that case make it again with this version"
    )


def _utterances(folder: Path) -> pd.DataFrame:
    """``fold``, ``speaker`` and ``label`` by utterance.

    Raises:
        StoreError: ``utterances.csv`` is missing or damaged.
    """
    rows = RunStore(folder).utterances().values()
    return pd.DataFrame(rows, columns=list(UTTERANCE_COLUMNS), dtype=str).set_index("utterance")


def _fit_readings(
    run: StoredRun, store: RunStore, method: str, outer: int, seed: int, utterances: pd.DataFrame
) -> FitReadings:
    fold = str(run.plan["outer"][outer - 1]["name"])
    arrays = store.read_readings(method, outer, seed)
    what = str(store.readings_path(method, outer, seed))
    fit = checked_readings(arrays, what, fold, seed, len(run.plan["dataset"]["labels"]))
    if foreign := [each for each in fit.ids if each not in utterances.index]:
        raise StoreError(
            f"{what} belongs to another run: {foreign[0]} is not in utterances.csv; make the run "
            "again"
        )
    tested = utterances.loc[list(fit.ids), "fold"] == fold
    if tested.any():
        raise StoreError(
            f"{what} has readings of {int(tested.sum())} utterances that {fold} tests, such as "
            f"{tested.idxmax()}: a test side was trained on; make the run again"
        )
    return fit
