"""The configurations that inner searches tried, for the page of a certificate."""

from __future__ import annotations

from collections.abc import Iterator

from serbench.errors import listed
from serbench.protocol.guard.certificate import Certificate, SearchRecord
from serbench.results.table.columns import text_table
from serbench.results.table.formats import percent
from serbench.results.table.table import Table

SHOWN = 6
"""Number of values of a setting that are shown before the rest is counted."""


def search_tables(certificate: Certificate) -> Iterator[tuple[str, Table]]:
    """The searches that tried a part of a grid, by title; none for complete grids."""
    if not certificate.searches:
        return
    yield "Searches", text_table(
        "searches",
        "Searches of a part of a grid, on inner folds",
        ("Method", "Fold", "Seed", "Search", "Space", "Candidates", "Tried", "Inner fits",
         "Chosen", "UA in %"),
        list(map(_row, certificate.searches)),
        right=("Fold", "Seed", "Candidates", "Tried", "Inner fits", "UA in %"),
        notes=("UA: of the chosen candidate, mean over the inner folds. certificate.json has the "
               "scores of all.",),
    )  # fmt: skip


def _row(search: SearchRecord) -> tuple[str, ...]:
    space = (f"{path}: {listed(map(str, values), SHOWN)}" for path, values in search.space.items())
    chosen = next(trial for trial in search.trials if trial.candidate == search.chosen)
    return (
        search.method,
        str(search.outer),
        str(search.seed),
        search.strategy,
        "; ".join(space),
        str(search.points),
        str(len(search.trials)),
        str(sum(len(trial.ua) for trial in search.trials)),
        ", ".join(f"{path} = {value}" for path, value in chosen.values.items()),
        percent(sum(chosen.ua) / len(chosen.ua)),
    )
