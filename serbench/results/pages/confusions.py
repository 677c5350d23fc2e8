"""Confusion matrices as tables, shaded by share, with the utterances behind each number."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.results.pages.series import Method
from serbench.results.pages.traces import trace
from serbench.results.report.confusions import recall, worst_confusion
from serbench.results.report.results import Results
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import PERCENT, Format, percent
from serbench.results.table.table import Table

COUNT: Format[tuple[int, float]] = Format(
    lambda held: str(held[0]),
    lambda held: f"{100 * held[1]:.0f} %" if held[0] else "",
    shade=lambda held: held[1],
)
"""Utterances, summed over seeds, and their share of the true class."""


def matrices(results: Results, methods: Sequence[Method]) -> tuple[Table, ...]:
    """One matrix for each method."""
    return tuple(_matrix(each, results.comparison.labels) for each in methods)


def _matrix(method: Method, labels: tuple[str, ...]) -> Table:
    result = method.result

    def held(true: int, guess: int) -> tuple[int, float]:
        count, total = int(result.confusion[true, guess]), int(result.confusion[true].sum())
        return count, count / total if total else 0.0

    columns: list[Column[int]] = [
        Column("True", lambda true: labels[true]),
        *(
            Column(
                label,
                lambda true, guess=guess: held(true, guess),
                COUNT,
                trace=lambda true, guess=guess: (
                    trace(method, t=true, p=guess) if held(true, guess)[0] else ""
                ),
            )
            for guess, label in enumerate(labels)
        ),
        Column(
            "Recall %",
            lambda true: recall(result, true),
            PERCENT,
            trace=lambda true: trace(method, t=true),
        ),
    ]
    ua, wa = (percent(each.value) for each in (result.pooled["ua"], result.pooled["wa"]))
    summed = f" Counts are summed over {result.seeds} seeds." if result.seeds > 1 else ""
    return make_table(
        f"confusion-{method.slug}",
        f"{method.name}: UA {ua} %, WA {wa} %",
        columns,
        range(len(labels)),
        notes=(f"{worst_confusion(result, labels)}{summed}",),
    )
