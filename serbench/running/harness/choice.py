"""The choice of one method, seed and outer fold: its inner fits, and the refit they lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from pydantic import JsonValue

from serbench.data.corpus.table import CorpusTable
from serbench.protocol.guard.certificate import SearchRecord, TrialRecord
from serbench.protocol.splits.records import Split
from serbench.running.harness.results import KeptFit
from serbench.running.harness.search import Search
from serbench.running.harness.tasks import FitPlace
from serbench.running.plan.records import MethodPlan, stable_seed


@dataclass
class Choice:
    """The choice of one method, seed and outer fold, as far as it has been made.

    Attributes:
        search: its search; None: the method has nothing to choose, and its only
            candidate is refitted.
        epochs_too: whether early stopping of inner fits sets the refit's epochs.
    """

    method: MethodPlan
    seed: int
    outer: int
    search: Search | None
    epochs_too: bool
    best_epochs: dict[int, list[int]] = field(default_factory=dict)
    refit: tuple[FitPlace, int | None] | None = None

    def next(self) -> list[tuple[FitPlace, int | None]]:
        """Fits that can be made now; for a refit also the number of epochs, if inner fits
        have set it.

        Empty while results of fits are outstanding, and after the refit.
        """
        if self.search is not None:
            stage = self.search.next()
            if stage or self.search.due:
                return [
                    (FitPlace(self.method.name, self.seed, self.outer, *fit), None) for fit in stage
                ]
        if self.refit is not None:
            return []
        best, epochs = 0, None
        if self.search is not None:
            best = self.search.best
            stops = self.method.candidates[best].settings.training.early_stopping
            if stops and self.epochs_too:
                epochs = round(float(np.mean(self.best_epochs[best])))
        self.refit = FitPlace(self.method.name, self.seed, self.outer, best), epochs
        return [self.refit]

    def take(self, place: FitPlace, fit: KeptFit) -> None:
        """Take in the result of a fit; the result of a refit changes nothing here."""
        if place.inner is None:
            return
        assert self.search is not None
        assert fit.validation_ua is not None
        self.best_epochs.setdefault(place.candidate, []).append(fit.best_epoch)
        self.search.take((place.candidate, place.inner), fit.validation_ua)

    @property
    def record(self) -> SearchRecord | None:
        """The search's record for the certificate; None for a grid, all of whose fits are made."""
        if self.search is None or self.search.strategy == "grid" or self.refit is None:
            return None
        return search_record(self.search, self.method.name, self.seed, self.outer + 1)


def search_seed(table: CorpusTable, split: Split, seed: int) -> int:
    """The seed of a sampler in an outer fold: the same for every method."""
    return stable_seed("search", table.digest, split.name, seed)


def search_record(search: Search, method: str, seed: int, outer: int) -> SearchRecord:
    """The record of all scores that a finished search received.

    Args:
        search: the finished search.
        method: the method that it was made for.
        seed: the method's seed.
        outer: the fold, from 1.
    """
    values = cast("Sequence[dict[str, JsonValue]]", search.values)  # the values come from TOML
    seen: dict[int, dict[int, float]] = {}
    for (candidate, fold), ua in sorted(search.scores.items()):
        seen.setdefault(candidate, {})[fold] = ua
    return SearchRecord(
        method=method,
        seed=seed,
        outer=outer,
        strategy=search.strategy,
        space=_axes(values),
        points=len(values),
        trials=tuple(
            TrialRecord(
                candidate=candidate + 1,
                values=dict(values[candidate]),
                ua=tuple(ua.values()),
            )
            for candidate, ua in seen.items()
        ),
        chosen=search.best + 1,
    )


def _axes(values: Sequence[Mapping[str, JsonValue]]) -> dict[str, list[JsonValue]]:
    """The values of each setting, in the order of the grid."""
    axes: dict[str, list[JsonValue]] = {}
    for each in values:
        for path, value in each.items():
            if value not in axes.setdefault(path, []):
                axes[path].append(value)
    return axes
