"""Recall of each method by class, speaker and fold: figures, and tables linked to utterances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from serbench.results.figure.figure import Axis, DotRow, Dots, Figure, Panel, percent_ends
from serbench.results.pages.series import Method
from serbench.results.pages.traces import trace
from serbench.results.report.comparison import fold_ua, test_units, with_total
from serbench.results.report.confusions import recall
from serbench.results.report.results import Results
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import COUNT, PERCENT, percent, spread_text
from serbench.results.table.table import Table

DRAWN = 6
"""Number of methods that a figure shows: marks of more look alike. The table has all methods."""


@dataclass(frozen=True, slots=True)
class RecallPart:
    """A class, a speaker or a fold.

    Attributes:
        count: number of test utterances.
        wanted: the indices that its numbers trace to, besides the method.
    """

    name: str
    count: int
    wanted: dict[str, int]


Value = Callable[[Method, int], float | None]
"""The value of a method in a part, in 0 … 1; None if there is none."""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A figure and the table of the same numbers."""

    figure: Figure
    table: Table


def breakdowns(results: Results, methods: Sequence[Method]) -> tuple[Breakdown, ...]:
    """The breakdowns by class, by speaker, and by fold."""
    compared = results.comparison
    speakers, folds, units = (
        [*compared.speaker_counts],
        [*compared.fold_counts],
        test_units(results),
    )
    counts = [int(each) // methods[0].result.seeds for each in methods[0].result.confusion.sum(1)]
    unit = results.runs[0].certificate.unit
    return (
        _breakdown(
            methods, "classes", "Recall of each class", ("Class", "Recall in %"),
            [RecallPart(label, counts[i], {"t": i}) for i, label in enumerate(compared.labels)],
            lambda method, row: recall(method.result, row),
        ),
        _breakdown(
            methods, "speakers",
            "UA on each speaker, over the classes that the speaker has", ("Speaker", "UA in %"),
            [RecallPart(each, compared.speaker_counts[each], {"s": i})
             for i, each in enumerate(speakers)],
            lambda method, row: method.result.speaker_ua[speakers[row]],
            ("lowest", "", *(percent(min(m.result.speaker_ua.values())) for m in methods)),
        ),
        _breakdown(
            methods, "folds", "UA on each outer test fold",
            (f"Fold: test {unit}s", "UA in %"),
            [RecallPart(f"{each}: {units[each]}", compared.fold_counts[each], {"f": each})
             for each in folds],
            lambda method, row: fold_ua(method.result, folds[row]),
            ("mean ± sd", str(sum(compared.fold_counts.values())),
             *(spread_text(m.result.spread["ua"]) for m in methods)),
        ),
    )  # fmt: skip


def _breakdown(
    methods: Sequence[Method],
    name: str,
    caption: str,
    titles: tuple[str, str],
    parts: Sequence[RecallPart],
    value: Value,
    total: tuple[str, ...] = (),
) -> Breakdown:
    """Make a breakdown; ``titles`` are the titles of the column of parts, and of the axis."""
    columns: list[Column[int]] = [
        Column(titles[0], lambda row: parts[row].name),
        Column("Utterances", lambda row: parts[row].count, COUNT),
        *(
            Column(
                method.name,
                lambda row, method=method: value(method, row),
                PERCENT,
                trace=lambda row, method=method: trace(method, **parts[row].wanted),
            )
            for method in methods
        ),
    ]
    table = make_table(
        f"{name}-table",
        f"{caption}, in %",
        columns,
        range(len(parts)),
    )
    drawn = _drawn(methods)
    rows = tuple(
        DotRow(part.name, tuple(_percent(value(method, row)) for method in drawn))
        for row, part in enumerate(parts)
    )
    series = tuple((method.name, method.style) for method in drawn)
    held = [each for row in rows for each in row.values if each is not None]
    plot = Dots(rows, series, Axis(titles[1], *percent_ends(held)))
    figure = Figure(
        name=f"{name}-chart",
        caption=caption if drawn == methods else f"{caption}: {_choice(methods)}",
        panels=(Panel(plot, "", _described(rows, drawn)),),
        legend=tuple(method.key for method in drawn),
    )
    return Breakdown(figure, with_total(table, *total) if total else table)


def _drawn(methods: Sequence[Method]) -> Sequence[Method]:
    """The first method and those with the highest UA, in the order of the run."""
    if len(methods) <= DRAWN:
        return methods
    first, *others = methods
    best = sorted(others, key=lambda method: -method.result.pooled["ua"].value)[: DRAWN - 1]
    return [first, *(method for method in others if method in best)]


def _choice(methods: Sequence[Method]) -> str:
    return f"{methods[0].name}, and the {DRAWN - 1} others with the highest UA"


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _described(rows: Sequence[DotRow], methods: Sequence[Method]) -> str:
    """For each method the parts in which it is lowest and highest, in words."""
    sentences = []
    for place, method in enumerate(methods):
        held = [(row.values[place], row.label) for row in rows]
        known = [(value, label) for value, label in held if value is not None]
        low, high = min(known), max(known)
        sentences.append(
            f"{method.name}: lowest {low[0]:.1f} ({low[1]}), highest {high[0]:.1f} ({high[1]})."
        )
    return " ".join(sentences)
