"""For which classes, speakers and folds each method works: charts, and tables that trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from serbench.results.pages.charts.chart import Chart, Panel
from serbench.results.pages.charts.dots import DotRow, dots
from serbench.results.pages.charts.svg import Scale
from serbench.results.pages.series import Method
from serbench.results.pages.traces import trace
from serbench.results.report.results import Results
from serbench.results.report.tables import NOTHING, percent, with_spread

Value = Callable[[Method, int], float | None]
"""Of a method in a row, in 0 … 1; None where there is none."""


@dataclass(frozen=True, slots=True)
class Score:
    """A cell: per cent as text, and what it traces to."""

    text: str
    trace: str


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Scores of each method by class, speaker or fold.

    Attributes:
        columns: titles: the row's, utterances, each method's.
        rows: name, utterances, a score for each method.
        total: a last row of text, or nothing.
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[Score, ...]], ...]
    total: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A chart and the table of the same numbers."""

    title: str
    chart: Chart
    table: ScoreTable


def breakdowns(results: Results, methods: Sequence[Method]) -> tuple[Breakdown, ...]:
    """By class, by speaker, by fold."""
    return (
        _by_class(results, methods),
        _by_speaker(results, methods),
        _by_fold(results, methods),
    )


def _by_class(results: Results, methods: Sequence[Method]) -> Breakdown:
    labels = results.comparison.labels
    counts = _seedless(methods[0])

    def value(method: Method, row: int) -> float | None:
        confusion = method.result.confusion[row]
        return float(confusion[row] / confusion.sum()) if confusion.sum() else None

    return _breakdown(
        "classes", "Recall of each class", "Class", "Recall in %",
        [(label, counts[row], {"t": row}) for row, label in enumerate(labels)], methods, value,
    )  # fmt: skip


def _seedless(method: Method) -> list[int]:
    """Test utterances of each class."""
    return [int(each) // method.result.seeds for each in method.result.confusion.sum(axis=1)]


def _by_speaker(results: Results, methods: Sequence[Method]) -> Breakdown:
    counts = results.comparison.speaker_counts
    speakers = [*counts]

    def value(method: Method, row: int) -> float | None:
        return method.result.speaker_ua[speakers[row]]

    return _breakdown(
        "speakers", "UA on each speaker, over the classes that the speaker has", "Speaker",
        "UA in %",
        [(speaker, counts[speaker], {"s": row}) for row, speaker in enumerate(speakers)],
        methods, value,
        total=("lowest", "", *(percent(min(m.result.speaker_ua.values())) for m in methods)),
    )  # fmt: skip


def _by_fold(results: Results, methods: Sequence[Method]) -> Breakdown:
    counts = results.comparison.fold_counts
    folds = [*counts]
    units = [", ".join(map(str, fold["test_units"])) for fold in results.outer]

    def value(method: Method, row: int) -> float | None:
        return next(fold.ua for fold in method.result.folds if fold.outer == folds[row])

    unit = results.runs[0].certificate.unit
    return _breakdown(
        "folds", "UA on each outer test fold", f"Fold: test {unit}s", "UA in %",
        [(f"{fold}: {units[fold - 1]}", counts[fold], {"f": fold}) for fold in folds],
        methods, value,
        total=("mean ± sd", str(sum(counts.values())),
               *(with_spread(m.result.spread["ua"]) for m in methods)),
    )  # fmt: skip


def _breakdown(
    name: str,
    caption: str,
    of: str,
    axis: str,
    rows: Sequence[tuple[str, int, dict[str, int]]],
    methods: Sequence[Method],
    value: Value,
    total: tuple[str, ...] = (),
) -> Breakdown:
    """``rows`` are names, utterances, and what a row's numbers trace to besides the method."""
    values = [[value(method, index) for method in methods] for index in range(len(rows))]
    table = ScoreTable(
        name=f"{name}-table",
        caption=f"{caption}, in %",
        columns=(of, "Utterances", *(method.name for method in methods)),
        rows=tuple(
            (
                label,
                str(count),
                tuple(
                    Score(NOTHING, "") if v is None else Score(percent(v), trace(method, **wanted))
                    for method, v in zip(methods, own, strict=True)
                ),
            )
            for (label, count, wanted), own in zip(rows, values, strict=True)
        ),
        total=total,
    )
    drawn = [
        DotRow(label, tuple(None if v is None else 100 * v for v in own))
        for (label, _, _), own in zip(rows, values, strict=True)
    ]
    chart = Chart(
        name=f"{name}-chart",
        caption=caption,
        panels=(
            Panel(
                dots(
                    name, caption, _described(drawn, methods), drawn,
                    [(method.name, method.style) for method in methods], Scale(0, 100), axis,
                )
            ),
        ),
        numbers=None,
        legend=tuple(method.key for method in methods),
    )  # fmt: skip
    return Breakdown(caption, chart, table)


def _described(rows: Sequence[DotRow], methods: Sequence[Method]) -> str:
    """For each method where it is lowest and where highest."""
    sentences = []
    for place, method in enumerate(methods):
        held = [(row.values[place], row.label) for row in rows]
        known = [(value, label) for value, label in held if value is not None]
        low, high = min(known), max(known)
        sentences.append(
            f"{method.name}: lowest {low[0]:.1f} ({low[1]}), highest {high[0]:.1f} ({high[1]})."
        )
    return " ".join(sentences)
