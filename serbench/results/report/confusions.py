"""Confusions of classes: a table and a figure for each method, and its most frequent confusion."""

from __future__ import annotations

import numpy as np

from serbench.results.compare.names import display_name
from serbench.results.compare.records import MethodResult
from serbench.results.figure.figure import Figure, Matrix, Panel
from serbench.results.report.marks import mark
from serbench.results.report.results import Results
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import COUNT, PERCENT, percent
from serbench.results.table.table import Table


def confusion_table(result: MethodResult, labels: tuple[str, ...], slug: str) -> Table:
    """Counts of true by predicted class, and each class's recall."""
    counts = result.confusion
    columns: list[Column[int]] = [
        Column("True", lambda true: labels[true], key="true"),
        *(
            Column(label, lambda true, at=at: int(counts[true, at]), COUNT, key=label)
            for at, label in enumerate(labels)
        ),
        Column("Recall", lambda true: recall(result, true), PERCENT),
    ]
    return make_table(
        f"confusion-{slug}",
        f"Confusion of {display_name(result.method)}: utterances of each true class (rows) "
        "by predicted class (columns)",
        columns,
        range(len(labels)),
        notes=(f"Counts are summed over {result.seeds} seeds.",) if result.seeds > 1 else (),
    )


def recall(result: MethodResult, true: int) -> float | None:
    """The share of a class that is recognised; None if it has no utterances."""
    counts = result.confusion[true]
    return float(counts[true] / counts.sum()) if counts.sum() else None


def confusion_figure(result: MethodResult, results: Results) -> Figure:
    """Counts, shaded by their share of the true class."""
    kind = "Teacher " if result.is_teacher else ""
    ua, wa = (percent(each.value) for each in (result.pooled["ua"], result.pooled["wa"]))
    return Figure(
        name="confusion",
        caption=f"{kind}{display_name(result.method)} on {results.dataset['name']}: "
        f"UA {ua} %, WA {wa} %",
        panels=(
            Panel(
                Matrix(
                    results.comparison.labels,
                    tuple(tuple(map(int, row)) for row in result.confusion),
                )
            ),
        ),
        alarm=mark(results.protocol),
        warnings=results.warnings,
    )


def worst_confusion(result: MethodResult, labels: tuple[str, ...]) -> str:
    """The most frequent confusion, as the share of a class that is taken for one other, in
    words.
    """
    counts = result.confusion.astype(np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(shares, 0)
    true, guess = np.unravel_index(shares.argmax(), shares.shape)
    if not shares[true, guess]:
        return "No utterance is confused."
    return (
        f"Most often confused: {labels[true]} predicted as {labels[guess]}, "
        f"{int(counts[true, guess])} of {int(counts[true].sum())} "
        f"({percent(shares[true, guess])} %)."
    )
