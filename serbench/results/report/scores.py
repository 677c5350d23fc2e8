"""UA of every method, and differences from the first, as figures for files and pages."""

from __future__ import annotations

from serbench.results.compare.names import display_name, shown_name
from serbench.results.compare.records import Difference
from serbench.results.figure.figure import Axis, Figure, Forest, ForestRow, Panel, ReferenceLine
from serbench.results.figure.palette import Style, styles_of
from serbench.results.report.marks import mark
from serbench.results.report.notes import ASKED
from serbench.results.report.results import Results
from serbench.results.table.formats import (
    VERDICT,
    Interval,
    interval_text,
    p_value,
    signed,
)


def method_styles(results: Results) -> dict[str, Style]:
    """The style of each method in all figures of a run, or of a report over several."""
    return styles_of([each.method for each in results.comparison.methods])


def forest_row(
    label: str, found: Interval, style: Style, said: str, verdict: str = ""
) -> ForestRow:
    """A share with its interval, in per cent."""
    return ForestRow(
        label, 100 * found.value, 100 * found.low, 100 * found.high, style, said,
        VERDICT.tone(verdict),
    )  # fmt: skip


def forest_panel(rows: list[ForestRow], axis: str, reference: ReferenceLine | None = None) -> Panel:
    """A panel of rows, with a description in words."""
    said = "; ".join(f"{row.label} {row.said}" for row in rows)
    return Panel(Forest(tuple(rows), Axis(axis), reference), description=f"{said}.")


def scores_figure(results: Results) -> Figure:
    """Pooled UA of every method with its 95 % interval, and chance."""
    compared, styles = results.comparison, method_styles(results)
    rows = [
        forest_row(
            shown_name(each.method), each.pooled["ua"], styles[each.method],
            interval_text(each.pooled["ua"]),
        )
        for each in (*compared.students, *compared.teachers)
    ]  # fmt: skip
    chance = 100 / len(compared.labels)
    low, high = min(row.low for row in rows), max(row.high for row in rows)
    near = chance > low - (high - low)
    return Figure(
        name="ua-chart",
        caption=f"UA in % on {results.dataset['name']} with 95 % confidence intervals",
        panels=(
            forest_panel(
                rows,
                "UA in %, pooled over the outer test folds",
                ReferenceLine(chance, "chance") if near else None,
            ),
        ),
        notes=(f"{'The dashed line is chance,' if near else 'Chance is'} {chance:.1f} %.",),
        alarm=mark(results.protocol),
        warnings=results.warnings,
    )


def differences_figure(results: Results) -> Figure | None:
    """The difference of each method's UA from the first one's; None if nothing is compared."""
    compared, styles = results.comparison, method_styles(results)
    reference = display_name(compared.reference)
    rows = [
        forest_row(
            shown_name(each.method), each.difference, styles[each.method], _said(each.difference),
            each.difference.verdict,
        )
        for each in compared.methods
        if each.difference is not None
    ]  # fmt: skip
    if results.leaky or not rows:
        return None
    return Figure(
        name="difference-chart",
        caption=f"ΔUA to {reference} in percentage points with its interval",
        panels=(
            forest_panel(
                rows, f"← worse than {reference} · better →", ReferenceLine(0.0, "no difference")
            ),
        ),
        notes=(
            "Hollow mark: no significant difference. p and interval: "
            f"{ASKED[compared.design.question]}.",
        ),
    )


def _said(found: Difference) -> str:
    test = found.significance
    p = f", {p_equals(test.p_holm)}" if test else ""
    return f"{signed(found.value)}{p}: {found.verdict}"


def p_equals(p: float) -> str:
    """Text of a p, for instance ``p = 0.031``, ``p < 0.001``."""
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"
