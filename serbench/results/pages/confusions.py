"""Confusion matrices as tables that are shaded by share and trace to utterances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serbench.results.pages.series import Method
from serbench.results.pages.traces import trace
from serbench.results.report.confusions import worst_confusion
from serbench.results.report.results import Results
from serbench.results.table.formats import NOTHING, percent


@dataclass(frozen=True, slots=True)
class Count:
    """A cell: utterances, summed over seeds; their share of the true class, 0 … 1."""

    count: int
    share: float
    right: bool
    trace: str

    @property
    def shade(self) -> str:
        """The share as the stylesheet reads it."""
        return f"{self.share:.3f}"

    @property
    def percent(self) -> str:
        """The share in per cent, without decimals; empty for nothing."""
        return f"{100 * self.share:.0f}" if self.count else ""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A method's confusions.

    Attributes:
        rows: for each true class its name, its cells, its recall in per cent, and the recall's
            trace.
        worst: the commonest mistake, in words.
    """

    slug: str
    name: str
    run: str
    ua: str
    wa: str
    seeds: int
    labels: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Count, ...], str, str], ...]
    worst: str


def matrices(results: Results, methods: Sequence[Method]) -> tuple[Matrix, ...]:
    """One for each method."""
    return tuple(_matrix(each, results.comparison.labels) for each in methods)


def _matrix(method: Method, labels: tuple[str, ...]) -> Matrix:
    result = method.result
    rows = []
    for true, label in enumerate(labels):
        total = int(result.confusion[true].sum())
        cells = tuple(
            Count(
                int(count),
                int(count) / total if total else 0.0,
                true == guess,
                trace(method, t=true, p=guess) if count else "",
            )
            for guess, count in enumerate(result.confusion[true])
        )
        recall = percent(cells[true].share) if total else NOTHING
        rows.append((label, cells, recall, trace(method, t=true) if total else ""))
    return Matrix(
        slug=method.slug,
        name=method.name,
        run=method.run,
        ua=percent(result.pooled["ua"].value),
        wa=percent(result.pooled["wa"].value),
        seeds=result.seeds,
        labels=labels,
        rows=tuple(rows),
        worst=worst_confusion(result, labels),
    )
