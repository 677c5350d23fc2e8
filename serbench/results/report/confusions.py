"""Which class is taken for which: a table for each method, and its worst confusion in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from serbench.results.compare.records import MethodResult
from serbench.results.report.tables import NOTHING, Section, Table, display_name, numeric, percent


def confusion_table(result: MethodResult, labels: tuple[str, ...], slug: str) -> Table:
    """Counts of true by predicted class, and each class's recall."""
    counts = result.confusion
    rows = tuple(
        (label, *map(str, counts[row]), _recall(counts[row], row))
        for row, label in enumerate(labels)
    )
    data = pd.DataFrame(counts, columns=list(labels))
    data.insert(0, "true", list(labels))
    return Table(
        name=f"confusion-{slug}",
        caption=f"Confusion of {display_name(result.method)}: utterances of each true class (rows) "
        "by predicted class (columns)",
        columns=("True", *labels, "Recall"),
        alignment=numeric(len(labels) + 1),
        sections=(Section(rows),),
        data=data,
        notes=(f"Counts are summed over {result.seeds} seeds.",) if result.seeds > 1 else (),
    )


def _recall(row: NDArray[np.int64], label: int) -> str:
    return percent(row[label] / row.sum()) if row.sum() else NOTHING


def worst_confusion(result: MethodResult, labels: tuple[str, ...]) -> str:
    """The largest share of a class that is taken for one other class, in words."""
    counts = result.confusion.astype(np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(shares, 0)
    true, guess = np.unravel_index(shares.argmax(), shares.shape)
    if not shares[true, guess]:
        return "No utterance is confused."
    return (
        f"Most often confused: {labels[true]} taken for {labels[guess]}, "
        f"{int(counts[true, guess])} of {int(counts[true].sum())} "
        f"({percent(shares[true, guess])} %)."
    )
