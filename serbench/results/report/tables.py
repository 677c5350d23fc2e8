"""The tables of a report, as cells of text and as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from serbench.results.compare.records import (
    METRICS,
    TEACHER_PREFIX,
    Comparison,
    Difference,
    Estimate,
    MethodResult,
    Spread,
)
from serbench.results.report.notes import compared_notes, interval_note, p_value
from serbench.results.report.results import MethodInfo, Results

DIFFERENCES = ("delta_ua", "delta_ua_low", "delta_ua_high", "p", "p_holm", "verdict")
"""Columns of the comparison that a leaky run must not have."""

TITLES = {"wa": "WA", "ua": "UA", "macro_f1": "Macro-F1"}
NOTHING = "–"

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that belong together, with a heading over them where they need one."""

    rows: tuple[Row, ...]
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table to read and to compute with.

    Attributes:
        name: its files' stem.
        alignment: ``l`` or ``r`` for each column.
        data: the same content as plain numbers in 0 … 1, for the CSV.
        notes: what a reader must know to read it right.
        warnings: what makes its numbers doubtful, one line each.
    """

    name: str
    caption: str
    columns: Row
    alignment: str
    sections: tuple[Section, ...]
    data: pd.DataFrame
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def percent(value: float) -> str:
    """A share as per cent with one decimal."""
    return f"{100 * value:.1f}"


def signed(value: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    text = f"{100 * value:+.1f}".replace("-", "−")
    return "0.0" if text in ("+0.0", "−0.0") else text


def with_interval(estimate: Estimate) -> str:
    """For instance ``73.0 [68.1, 77.2]``."""
    return f"{percent(estimate.value)} [{percent(estimate.low)}, {percent(estimate.high)}]"


def with_spread(spread: Spread) -> str:
    """For instance ``72.4 ± 4.0``; of a single fold, its score alone."""
    mean = percent(spread.mean)
    return mean if spread.sd is None else f"{mean} ± {percent(spread.sd)}"


def parameter_count(parameters: tuple[int, int] | None) -> str:
    """For instance ``0.39 M``; a range where folds chose students of different sizes."""
    if parameters is None:
        return NOTHING
    low, high = (f"{count / 1e6:.3g}" for count in parameters)
    return f"{low} M" if low == high else f"{low}–{high} M"


def numeric(columns: int) -> str:
    """Alignment of a text column before ``columns`` columns of numbers."""
    return "l" + "r" * columns


def display_name(method: str) -> str:
    """A method's name as tables show it; a teacher's without its prefix."""
    return method.removeprefix(TEACHER_PREFIX)


def by_kind(comparison: Comparison, rows: Mapping[str, Row]) -> tuple[Section, ...]:
    """Rows by method, the teachers' own set apart below."""
    sections = [Section(tuple(rows[result.method] for result in comparison.students))]
    if comparison.teachers:
        below = tuple(rows[result.method] for result in comparison.teachers)
        sections.append(Section(below, "Teachers, by their own head on the same folds"))
    return tuple(sections)


def comparison_table(results: Results) -> Table:
    """Every method's pooled scores, their intervals, and its difference from the first.

    Methods of a leaky run are listed and not compared.
    """
    compared = results.comparison
    rows = {
        result.method: _comparison_row(result, results.methods[result.method])
        for result in compared.methods
    }
    data = pd.DataFrame(
        [_comparison_data(each, results.methods[each.method]) for each in compared.methods]
    ).astype({"parameters_min": "Int64", "parameters_max": "Int64"})
    differences = (f"ΔUA to {display_name(compared.reference)}", "p", "Verdict")
    if results.leaky:
        rows = {method: row[: -len(differences)] for method, row in rows.items()}
        data = data.drop(columns=[*DIFFERENCES])
        differences = ()
    return Table(
        name="comparison",
        caption=f"Methods on {results.dataset['name']}: utterance-level scores in %, "
        "pooled over the outer test folds",
        columns=(
            "Method",
            "Student",
            "Parameters",
            *TITLES.values(),
            "WA over folds",
            "UA over folds",
            *differences,
        ),
        alignment="llrrrrrr" + ("rrl" if differences else ""),
        sections=by_kind(compared, rows),
        data=data,
        notes=(score_notes(results), *seeds_note(compared)),
    )


def score_notes(results: Results) -> str:
    """How intervals, spreads and verdicts came about."""
    compared = results.comparison
    count = len(compared.fold_counts)
    spread = f" ±: standard deviation over {count} outer folds." if count > 1 else ""
    if results.leaky:
        return f"{interval_note(compared.repeats, len(compared.speaker_counts))}{spread}"
    return f"{compared_notes(compared)}{spread}"


def seeds_note(compared: Comparison) -> tuple[str, ...]:
    """A word on seeds where there are several."""
    seeds = max(result.seeds for result in compared.methods)
    return (f"Each utterance counts once for each of {seeds} seeds.",) if seeds > 1 else ()


def _comparison_row(result: MethodResult, info: MethodInfo) -> Row:
    difference = result.difference
    return (
        display_name(result.method),
        info.student or NOTHING,
        parameter_count(info.parameters),
        *(with_interval(result.pooled[metric]) for metric in METRICS),
        with_spread(result.spread["wa"]),
        with_spread(result.spread["ua"]),
        f"{signed(difference.value)} [{signed(difference.low)}, {signed(difference.high)}]"
        if difference
        else NOTHING,
        p_of(difference),
        difference.verdict if difference else "reference",
    )


def p_of(difference: Difference | None) -> str:
    """The corrected p of a difference, where it was tested."""
    found = difference.significance if difference else None
    return p_value(found.p_holm) if found else NOTHING


def _comparison_data(result: MethodResult, info: MethodInfo) -> dict[str, object]:
    numbers: dict[str, object] = {
        "method": result.method,
        "student": info.student,
        "parameters_min": info.parameters[0] if info.parameters else None,
        "parameters_max": info.parameters[1] if info.parameters else None,
        "seeds": result.seeds,
    }
    for metric in METRICS:
        estimate, spread = result.pooled[metric], result.spread[metric]
        numbers |= {
            metric: estimate.value,
            f"{metric}_low": estimate.low,
            f"{metric}_high": estimate.high,
            f"{metric}_fold_mean": spread.mean,
            f"{metric}_fold_sd": spread.sd,
        }
    difference = result.difference
    found = difference.significance if difference else None
    return numbers | {
        "delta_ua": difference.value if difference else None,
        "delta_ua_low": difference.low if difference else None,
        "delta_ua_high": difference.high if difference else None,
        "p": found.p if found else None,
        "p_holm": found.p_holm if found else None,
        "verdict": difference.verdict if difference else "reference",
    }


def folds_table(results: Results) -> Table:
    """UA of each method on each outer test fold, whose units are named."""
    compared = results.comparison
    units = {
        number: ", ".join(map(str, fold["test_units"]))
        for number, fold in enumerate(results.outer, start=1)
    }
    rows = tuple(
        (
            f"{outer}: {units[outer]}",
            str(count),
            *(percent(_fold(result, outer)) for result in compared.methods),
        )
        for outer, count in compared.fold_counts.items()
    )
    total = str(sum(compared.fold_counts.values()))
    title = "mean ± sd" if len(compared.fold_counts) > 1 else "mean"
    spreads = (title, total, *(with_spread(each.spread["ua"]) for each in compared.methods))
    data = pd.DataFrame(
        [
            {
                "method": result.method,
                "outer": fold.outer,
                "test_units": units[fold.outer],
                "utterances": compared.fold_counts[fold.outer],
                "wa": fold.wa,
                "ua": fold.ua,
                "macro_f1": fold.macro_f1,
            }
            for result in compared.methods
            for fold in result.folds
        ]
    )
    return Table(
        name="folds",
        caption="UA in % on each outer test fold",
        columns=(
            f"Fold: test {results.runs[0].certificate.unit}s",
            "Utterances",
            *_method_columns(compared),
        ),
        alignment=numeric(1 + len(compared.methods)),
        sections=(Section(rows), Section((spreads,))),
        data=data,
    )


def _fold(result: MethodResult, outer: int) -> float:
    return next(fold.ua for fold in result.folds if fold.outer == outer)


def _method_columns(compared: Comparison) -> Row:
    """Column titles; a teacher says that it is one."""
    return tuple(
        f"{display_name(each.method)} (teacher)" if each.is_teacher else each.method
        for each in compared.methods
    )


def speakers_table(results: Results) -> Table:
    """UA of each method on each speaker: for whom a model fails."""
    compared = results.comparison
    rows = tuple(
        (
            speaker,
            str(count),
            *(percent(result.speaker_ua[speaker]) for result in compared.methods),
        )
        for speaker, count in compared.speaker_counts.items()
    )
    worst = (
        "lowest",
        "",
        *(percent(min(result.speaker_ua.values())) for result in compared.methods),
    )
    data = pd.DataFrame(
        [
            {
                "method": result.method,
                "speaker": speaker,
                "utterances": compared.speaker_counts[speaker],
                "ua": ua,
            }
            for result in compared.methods
            for speaker, ua in result.speaker_ua.items()
        ]
    )
    return Table(
        name="speakers",
        caption="UA in % on each speaker, over the classes that the speaker has",
        columns=("Speaker", "Utterances", *_method_columns(compared)),
        alignment=numeric(1 + len(compared.methods)),
        sections=(Section(rows), Section((worst,))),
        data=data,
    )
