"""The tracker ``placeholder``: what it records during a run."""

from __future__ import annotations

import csv
from pathlib import Path

from serbench.api import FoldEvent, Params, RunEvent, Tracker

COLUMNS = ("method", "fold", "seed", "ua")


class PlaceholderParams(Params):
    """Parameters of a registry entry."""

    file: str = "placeholder.csv"
    """Name of the table in the run's folder; leave the run's own files alone."""


class Placeholder(Tracker):
    """A table of the scores of outer folds, in order of arrival."""

    name = "placeholder"
    Params = PlaceholderParams
    params: PlaceholderParams
    _table: Path | None = None

    def run_started(self, event: RunEvent) -> None:
        """Begin a new table: a run that starts again sends all its events again."""
        self._table = event.folder / self.params.file
        with self._table.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerow(COLUMNS)

    def fold_scored(self, event: FoldEvent) -> None:
        """Add a row at once, so that nothing is lost if the run is stopped."""
        assert self._table is not None, "run_started comes first"
        # TODO: put what you want to keep of a fold in place of this. See also fit_epoch.
        row = (event.method, event.outer, event.seed, f"{event.ua:.4f}")
        with self._table.open("a", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerow(row)
