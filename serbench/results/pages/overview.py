"""The first two parts of a report: what it comes to, and the comparison as charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from serbench.results.compare.records import Difference, MethodResult
from serbench.results.pages.charts.chart import Chart, Panel
from serbench.results.pages.charts.forest import ForestRow, forest
from serbench.results.pages.series import Method, listed, numbers_table, rows_of
from serbench.results.report.notes import p_value
from serbench.results.report.results import Results
from serbench.results.report.tables import display_name, percent, signed

KINDS = {"better": "better", "worse": "worse", "cannot tell apart": "unclear"}
"""A verdict as a class of the stylesheet."""

CLOSE = "It cannot be told apart from"

NAMED = 5
"""Methods that a title names."""


def page_title(results: Results) -> str:
    """Corpus and methods."""
    names = [display_name(each.method) for each in results.comparison.students]
    if len(names) > NAMED:
        return f"{results.dataset['name']}: {names[0]} and {len(names) - 1} other methods"
    return f"{results.dataset['name']}: {listed(names)}"


def headline(results: Results) -> str:
    """Which student has the highest UA, and how surely. Empty of a leaky run: it has no winner."""
    students = results.comparison.students
    if results.leaky or len(students) < 2:
        return ""
    best = max(students, key=lambda each: each.pooled["ua"].value)
    reference = display_name(results.comparison.reference)
    score = f"{percent(best.pooled['ua'].value)} % UA"
    if best.difference is not None:
        p = _surely([best], "at most")
        said = "It is better than" if best.difference.verdict == "better" else CLOSE
        return f"{display_name(best.method)} scores highest with {score}. {said} {reference}{p}."
    others = [each for each in students[1:] if each.difference is not None]
    beaten = [each for each in others if each.difference and each.difference.verdict == "worse"]
    close = [each for each in others if each not in beaten]
    parts = [f"{reference} scores highest with {score}."]
    if beaten:
        names = listed([display_name(each.method) for each in beaten])
        parts.append(f"It is better than {names}{_surely(beaten, 'at most')}.")
    if close:
        names = listed([display_name(each.method) for each in close], "or")
        parts.append(f"{CLOSE} {names}{_surely(close, 'at least')}.")
    return " ".join(parts)


def _surely(results: Sequence[MethodResult], bound: Literal["at most", "at least"]) -> str:
    """The corrected p of all these differences, in brackets; empty where none was tested."""
    found = [
        each.difference.significance.p_holm
        for each in results
        if each.difference and each.difference.significance
    ]
    if not found:
        return ""
    p = p_value(max(found) if bound == "at most" else min(found))
    if p.startswith("<"):
        return f" (p {p})"
    return f" (p {bound} {p})" if len(found) > 1 else f" (p = {p})"


def comparison_charts(results: Results, methods: Sequence[Method]) -> tuple[Chart, ...]:
    """UA of every method; and the differences from the first, unless the run is leaky."""
    charts = [_scores(results, methods)]
    compared = [each for each in methods if each.result.difference is not None]
    if compared and not results.leaky:
        charts.append(_differences(results, compared))
    return tuple(charts)


def _scores(results: Results, methods: Sequence[Method]) -> Chart:
    chance = 100 / len(results.comparison.labels)
    rows = []
    for each in methods:
        ua = each.result.pooled["ua"]
        value, low, high = 100 * ua.value, 100 * ua.low, 100 * ua.high
        said = f"{percent(ua.value)} [{percent(ua.low)}, {percent(ua.high)}]"
        rows.append(ForestRow(each.name, said, value, low, high, each.style))
    caption = f"UA in % on {results.dataset['name']} with 95 % interval"
    return Chart(
        name="ua-chart",
        caption=caption,
        panels=(
            Panel(
                forest(
                    "ua",
                    caption,
                    "; ".join(f"{row.label} {row.said}" for row in rows) + ".",
                    rows,
                    "UA in %",
                )
            ),
        ),
        numbers=numbers_table(
            "ua-numbers",
            f"{caption}, as numbers",
            ("Method", "UA", "Low", "High"),
            rows_of(
                *(
                    (row.label, *(f"{each:.1f}" for each in (row.value, row.low, row.high)))
                    for row in rows
                )
            ),
        ),
        notes=(f"Chance would be {chance:.1f} %.",),
    )


def _differences(results: Results, compared: Sequence[Method]) -> Chart:
    reference = display_name(results.comparison.reference)
    rows, cells = [], []
    for each in compared:
        found = each.result.difference
        if found is None:
            continue
        kind = KINDS[found.verdict]
        rows.append(
            ForestRow(
                each.name, _said(found), 100 * found.value, 100 * found.low, 100 * found.high,
                each.style, kind,
            )
        )  # fmt: skip
        p = p_value(found.significance.p_holm) if found.significance else ""
        bounds = (signed(found.value), signed(found.low), signed(found.high))
        cells.append((each.name, *bounds, p, found.verdict))
    caption = f"ΔUA to {reference} in percentage points with 95 % interval"
    return Chart(
        name="difference-chart",
        caption=caption,
        panels=(
            Panel(
                forest(
                    "difference",
                    caption,
                    "; ".join(f"{row.label}: {row.said}" for row in rows) + ".",
                    rows,
                    f"← worse than {reference} · better →",
                    reference=0.0,
                    reference_text="no difference",
                )
            ),
        ),
        numbers=numbers_table(
            "difference-numbers",
            f"{caption}, as numbers",
            ("Method", "ΔUA", "Low", "High", "p (Holm)", "Verdict"),
            rows_of(*cells),
        ),
        notes=(
            "Hollow mark and dashed interval: cannot be told apart. p by the paired permutation "
            "test over speakers, corrected for several comparisons (Holm); the verdict is by "
            "p, not by the interval.",
        ),
    )


def _said(found: Difference) -> str:
    p = ""
    if found.significance is not None:
        value = p_value(found.significance.p_holm)
        p = f", p {value}" if value.startswith("<") else f", p = {value}"
    return f"{signed(found.value)}{p}: {found.verdict}"
