"""One row for each thing, in it a mark for each series: where they agree and where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from serbench.results.pages.charts.svg import (
    Scale,
    Style,
    across_axis,
    drawing,
    element,
    group,
    mark,
    rule,
    shortened,
    tick_text,
)

STEP_PX = 5
"""Between the marks of a row, so that equal values do not hide each other."""

LONGEST = 16


@dataclass(frozen=True, slots=True)
class DotRow:
    """A row; a value of None has no mark."""

    label: str
    values: tuple[float | None, ...]


def dots(
    name: str,
    title: str,
    description: str,
    rows: Sequence[DotRow],
    series: Sequence[tuple[str, Style]],
    scale: Scale,
    axis: str,
) -> Markup:
    """Rows from top to bottom; ``series`` in the order of the rows' values."""
    room = 22 + STEP_PX * max(len(series) - 1, 0)
    height = room * len(rows) + 4
    longest = max(len(shortened(row.label, LONGEST)) for row in rows)
    parts = [across_axis(scale, height, axis)]
    for index, row in enumerate(rows):
        parts.append(_row(row, room * index + 2, room, series, scale))
    left = 14 + 8 * longest
    return drawing(name, title, description, height, *parts, left_px=left)


def _row(
    row: DotRow, top: float, room: float, series: Sequence[tuple[str, Style]], scale: Scale
) -> Markup:
    middle = top + room / 2
    label = element(
        "text",
        shortened(row.label, LONGEST),
        x="-12",
        y=middle + 4,
        class_="label name",
        text_anchor="end",
    )
    start = middle - STEP_PX * (len(series) - 1) / 2
    held = [value for value in row.values if value is not None]
    parts = [label]
    if len(held) > 1:
        low, high = scale.across(min(held)), scale.across(max(held))
        parts.append(rule(low, middle, high, middle, "range"))
    for number, ((named, style), value) in enumerate(zip(series, row.values, strict=True)):
        if value is not None:
            hint = f"{row.label}, {named}: {tick_text(round(value, 1))}"
            parts.append(mark(style, scale.across(value), start + STEP_PX * number, hint=hint))
    return group(*parts)
