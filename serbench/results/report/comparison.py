"""The tables of a report: methods, and their scores by fold and by speaker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from serbench.api import StoreError
from serbench.errors import listed
from serbench.learning.evaluate import Metric
from serbench.results.compare.names import METHOD, by_kind, display_name, shown_name
from serbench.results.compare.records import METRICS, Comparison, MethodResult, Significance
from serbench.results.report.by_test_set import SHORT, TITLES, other_test_sets
from serbench.results.report.certificate import SHOWN_UNITS
from serbench.results.report.marks import marked
from serbench.results.report.notes import compared_notes, interval_note
from serbench.results.report.results import Results
from serbench.results.report.training import training_problems
from serbench.results.table.columns import Column, make_table, text_section
from serbench.results.table.formats import (
    COUNT,
    DIFFERENCE,
    P_VALUE,
    PARAMETERS,
    PERCENT,
    SCORE,
    SPREAD,
    VERDICT,
    percent,
    spread_text,
)
from serbench.results.table.table import Table

Columns = list[Column[MethodResult]]


def stamped(table: Table, results: Results) -> Table:
    """Add what a table needs outside serbench: its rows, caption and notes say what it is."""
    return replace(
        table,
        caption=marked(results.protocol, table.caption),
        records=tuple({"protocol": results.protocol, **row} for row in table.records),
        warnings=results.warnings,
        certificates=results.certificates,
    )


DETAILS = ("Student", "Parameters", "UA over folds", "WA over folds")
"""Columns of the comparison that a page shows in a separate table."""

DEVIATION = "±: standard deviation over"
"""Beginning of the note on these columns."""


CHOICES = {
    "ua": "UA", "wa": "WA", "f1": "Macro-F1", "delta": "ΔUA", "p": "p", "verdict": "Verdict",
    "student": "Student", "parameters": "Parameters", "ua-folds": "UA over folds",
    "wa-folds": "WA over folds",
}  # fmt: skip
"""Names of the comparison's columns on the command line, and the beginnings of their titles."""

COMPACT = ("ua", "delta", "p")
"""Columns that fit a column of a paper, in addition to the method."""


def chosen_columns(table: Table, names: Sequence[str]) -> Table:
    """The comparison with the columns of these names after the method.

    Columns that the table does not have are left out: that of a leaky run has no differences.

    Raises:
        StoreError: a name is unknown, or none is given.
    """
    known = f"choose from {', '.join(CHOICES)}, separated by commas"
    if unknown := [name for name in names if name not in CHOICES]:
        raise StoreError(f"--columns {', '.join(unknown)}: there is no such column; {known}")
    if not names:
        raise StoreError(f"--columns names no column; {known}")
    starts = [CHOICES[name] for name in dict.fromkeys(names)]
    titles = [
        title for start in starts for title in table.columns
        if title == start or (start == "ΔUA" and title.startswith(start))
    ]  # fmt: skip
    folds = any(title.endswith("folds") for title in titles)
    notes = tuple(n for n in table.notes if folds or not n.startswith(DEVIATION))
    return replace(table.only(("Method", *titles)), notes=notes)


def split_comparison(table: Table) -> tuple[Table, Table]:
    """The comparison in two tables that fit a page: scores with verdicts, and details."""
    verdict = [t for t in table.columns if t not in (*DETAILS, *TITLES.values(), "Method")]
    scores = table.only(("Method", "UA", *verdict, "WA", "Macro-F1"))
    details = table.only(("Method", *DETAILS))
    about_folds = tuple(note for note in table.notes if note.startswith(DEVIATION))
    return (
        replace(scores, notes=tuple(note for note in table.notes if note not in about_folds)),
        replace(
            details,
            name="details",
            caption=table.caption.partition("Methods on")[0]
            + "Students of the methods, and mean scores over the outer test folds in %",
            notes=about_folds,
        ),
    )


def shown_comparison(results: Results) -> Table:
    """The comparison for a terminal, with a title that says what was tested."""
    compared = results.comparison
    title = (
        f"{results.dataset['name']}: {results.size}, {len(compared.speaker_counts)} speakers, "
        f"{len(compared.labels)} classes"
    )
    table = stamped(comparison_table(results), results)
    problems = training_problems(results)
    return replace(
        table,
        caption=title,
        notes=(*other_test_sets(results), *table.notes),
        warnings=(*problems, *table.warnings),
    )


def comparison_table(results: Results) -> Table:
    """Every method's pooled scores, their intervals, and its difference from the first.

    Methods of a leaky run are listed but not compared.
    """
    compared, info = results.comparison, results.methods
    columns: Columns = [
        Column("Method", lambda each: each.method, METHOD, key="method"),
        Column(
            "Student", lambda each: info[each.method].student or None, key="student",
            console="below",
        ),
        Column(
            "Parameters", lambda each: info[each.method].parameters, PARAMETERS, key="parameters",
            console="below",
        ),
        Column("", lambda each: each.seeds, COUNT, key="seeds"),
        *(column for metric in METRICS for column in _metric(metric)),
    ]  # fmt: skip
    if not results.leaky:
        columns += difference_columns(f"ΔUA to {display_name(compared.reference)}")
    return make_table(
        "comparison",
        f"Methods on {results.dataset['name']}: utterance-level scores in %, "
        "pooled over the outer test folds",
        columns,
        by_kind(compared.methods),
        notes=(*score_notes(results), *seeds_note(compared)),
    ).reordered(("Method", "Student", "Parameters", *TITLES.values()))


def _metric(metric: Metric) -> Columns:
    """Columns of a score with its interval, and of its mean over folds."""
    title = TITLES[metric]
    return [
        Column(title, lambda each: each.pooled[metric], SCORE, key=metric, short=SHORT[metric]),
        Column(
            "" if metric == "macro_f1" else f"{title} over folds",
            lambda each: each.spread[metric],
            SPREAD,
            key=f"{metric}_fold",
            short="UA % folds",
            console="column" if metric == "ua" else "none",
        ),
    ]


def difference_columns(title: str) -> Columns:
    """Columns of the difference from the reference, its p value, and the verdict."""
    return [
        Column(title, lambda each: each.difference, DIFFERENCE, key="delta_ua"),
        Column("", tested(lambda test: test.p), P_VALUE, key="p"),
        Column(
            "p", tested(lambda test: test.p_holm), P_VALUE, key="p_holm", console="below",
            short="p",
        ),
        Column("Verdict", verdict, VERDICT, key="verdict", console="below"),
    ]  # fmt: skip


def tested(read: Callable[[Significance], float]) -> Callable[[MethodResult], float | None]:
    """A function that reads a value of a method's tests; None if there was no test."""

    def value(each: MethodResult) -> float | None:
        found = each.difference.significance if each.difference else None
        return read(found) if found else None

    return value


def verdict(each: MethodResult) -> str:
    """The verdict on a method; the reference has none."""
    return each.difference.verdict if each.difference else "reference"


def score_notes(results: Results) -> tuple[str, ...]:
    """How intervals, spreads and verdicts were computed."""
    compared = results.comparison
    count = len(compared.fold_counts)
    spread = (f"{DEVIATION} {count} outer folds.",) if count > 1 else ()
    if results.leaky:
        return interval_note(compared.repeats, len(compared.speaker_counts)), *spread
    return *compared_notes(results), *spread


def seeds_note(compared: Comparison) -> tuple[str, ...]:
    """A note on seeds if there are several."""
    seeds = max(result.seeds for result in compared.methods)
    return (f"Each utterance counts once for each of {seeds} seeds.",) if seeds > 1 else ()


def folds_table(results: Results) -> Table:
    """UA of each method on each outer test fold; the units of each fold are named."""
    compared, units = results.comparison, test_units(results)
    columns: list[Column[int]] = [
        Column(
            f"Fold: test {results.runs[0].certificate.unit}s", lambda fold: f"{fold}: {units[fold]}"
        ),
        Column("Utterances", lambda fold: compared.fold_counts[fold], COUNT),
        *(
            Column(shown_name(each.method), lambda fold, each=each: fold_ua(each, fold), PERCENT)
            for each in compared.methods
        ),
    ]
    table = make_table(
        "folds",
        "UA in % on each outer test fold",
        columns,
        [*compared.fold_counts],
        records=[
            {
                "method": result.method,
                "outer": fold.outer,
                "test_units": ", ".join(map(str, results.outer[fold.outer - 1]["test_units"])),
                "utterances": compared.fold_counts[fold.outer],
                "wa": fold.wa,
                "ua": fold.ua,
                "macro_f1": fold.macro_f1,
            }
            for result in compared.methods
            for fold in result.folds
        ],
    )
    title = "mean ± sd" if len(compared.fold_counts) > 1 else "mean"
    total = str(sum(compared.fold_counts.values()))
    return with_total(table, title, total, *(spread_text(m.spread["ua"]) for m in compared.methods))


def test_units(results: Results) -> dict[int, str]:
    """The speakers or sessions of each outer test fold, as tables name them."""
    return {
        number: listed(map(str, fold["test_units"]), SHOWN_UNITS)
        for number, fold in enumerate(results.outer, start=1)
    }


def fold_ua(result: MethodResult, outer: int) -> float:
    """UA on an outer test fold."""
    return next(fold.ua for fold in result.folds if fold.outer == outer)


def with_total(table: Table, *cells: str) -> Table:
    """The table with a separate last row."""
    return replace(table, sections=(*table.sections, text_section([cells])))


def speakers_table(results: Results) -> Table:
    """UA of each method on each speaker, to see for whom a model fails."""
    compared = results.comparison
    columns: list[Column[str]] = [
        Column("Speaker", str),
        Column("Utterances", lambda speaker: compared.speaker_counts[speaker], COUNT),
        *(
            Column(shown_name(m.method), lambda speaker, m=m: m.speaker_ua[speaker], PERCENT)
            for m in compared.methods
        ),
    ]
    table = make_table(
        "speakers",
        "UA in % on each speaker, over the classes that the speaker has",
        columns,
        [*compared.speaker_counts],
        records=[
            {
                "method": result.method,
                "speaker": speaker,
                "utterances": compared.speaker_counts[speaker],
                "ua": ua,
            }
            for result in compared.methods
            for speaker, ua in result.speaker_ua.items()
        ],
    )
    lowest = (percent(min(each.speaker_ua.values())) for each in compared.methods)
    return with_total(table, "lowest", "", *lowest)
