"""Values in rows from top to bottom: with intervals, as dots, as bars."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from serbench.results.figure.figure import (
    BarGroup,
    Bars,
    DotRow,
    Dots,
    Forest,
    ForestRow,
    ReferenceLine,
)
from serbench.results.figure.palette import Style
from serbench.results.figure.svg.elements import (
    Inside,
    Scale,
    across_axis,
    block,
    element,
    group,
    mark,
    percent_of,
    rule,
    scale_of,
    shortened,
    span,
    text,
    tick_text,
)

ROW_PX, LINE_PX, FIRST_PX = 50, 17, 8
LONGEST = 34
"""Number of characters shown of a label above its row; its table has all of it."""

BESIDE = 42
"""Number of characters of a label and its text that fit next to each other on a phone."""

NARROW = 16
"""Number of characters of a label at the left of its row."""

BAR_ROW_PX, BAR_PX = 28, 16
STEP_PX = 5
"""Distance between the marks of a row, so that equal values do not hide each other."""


def forest(plot: Forest) -> Inside:
    """Draw rows, each with its label, its text and its interval."""
    rows, reference = plot.rows, plot.reference
    held = [end for row in rows if row.value is not None for end in (row.low, row.high)]
    held += [reference.value] if reference else []
    low, high = span(held or [0.0])
    scale = scale_of(plot.axis, low, high)
    below = max(len(shortened(row.label, LONGEST)) + len(row.said) for row in rows) > BESIDE
    parts: list[Markup] = []
    top, heading = float(FIRST_PX), ""
    for row in rows:
        if row.group != heading:
            heading = row.group
            parts.append(text(heading, "0%", top + 14, "name"))
            top += LINE_PX + 4
        start = top + FIRST_PX + LINE_PX * (1 + below)
        words = _words(row, top, below=below)
        if row.value is not None:
            end = start + ROW_PX - LINE_PX - FIRST_PX
            words = group(
                words, _upright(scale, reference, start - 4, end), _interval(row, start, scale)
            )
        parts.append(group(words, class_=f"row {row.tone}".strip()))
        top += ROW_PX + LINE_PX * below
    parts.insert(0, across_axis(scale, top, plot.axis.title, grid=False))
    return Inside(top, tuple(parts))


def _upright(scale: Scale, reference: ReferenceLine | None, start: float, end: float) -> Markup:
    """The grid and the reference next to an interval; no line crosses the words above it."""
    lines = [
        rule(scale.across(tick), start, scale.across(tick), end, "grid")
        for tick, _ in scale.ticks()
    ]
    if reference is not None:
        x = scale.across(reference.value)
        line = rule(x, start, x, end, "reference")
        lines.append(group(line, element("title", reference.text)))
    return group(*lines)


def _words(row: ForestRow, top: float, *, below: bool) -> Markup:
    """A row's label and text."""
    label = text(shortened(row.label, LONGEST), "0%", top + 12, "name")
    said = (
        text(row.said, "0%", top + 12 + LINE_PX, "said")
        if below or row.value is None
        else text(row.said, "100%", top + 12, "said", "end")
    )
    return group(label, said)


def _interval(row: ForestRow, start: float, scale: Scale) -> Markup:
    """The mark and its interval, ``start`` pixels from the top."""
    assert row.value is not None
    at, low, high = map(scale.across, (row.value, row.low, row.high))
    middle = start + 4
    interval = f"interval c{row.style.colour}"
    return group(
        rule(low, middle, high, middle, interval),
        rule(low, middle - 5, low, middle + 5, f"{interval} cap"),
        rule(high, middle - 5, high, middle + 5, f"{interval} cap"),
        mark(
            row.style, at, middle, hint=f"{row.label}: {row.said}", hollow=row.tone == "unclear"
        ),
    )  # fmt: skip


def dots(plot: Dots) -> Inside:
    """Draw rows of dots from top to bottom."""
    scale = scale_of(plot.axis, 0, 1)
    room = 22 + STEP_PX * max(len(plot.series) - 1, 0)
    height = room * len(plot.rows) + 4
    rows = (_dots(row, room * i + 2, room, plot, scale) for i, row in enumerate(plot.rows))
    axis = across_axis(scale, height, plot.axis.title)
    return Inside(height, (axis, *rows), left_px=_room([row.label for row in plot.rows]))


def _room(labels: Sequence[str]) -> int:
    """Width in pixels of the room for labels at the left."""
    return 14 + 8 * max(len(shortened(label, NARROW)) for label in labels)


def _left(label: str, y: float) -> Markup:
    """A label at the left of its row."""
    return text(shortened(label, NARROW), "-12", y, "name", "end")


def _dots(row: DotRow, top: float, room: float, plot: Dots, scale: Scale) -> Markup:
    middle = top + room / 2
    start = middle - STEP_PX * (len(plot.series) - 1) / 2
    held = [value for value in row.values if value is not None]
    parts = [_left(row.label, middle + 4)]
    if len(held) > 1:
        low, high = scale.across(min(held)), scale.across(max(held))
        parts.append(rule(low, middle, high, middle, "range"))
    for place, ((named, style), value) in enumerate(zip(plot.series, row.values, strict=True)):
        if value is not None:
            hint = f"{row.label}, {named}: {tick_text(round(value, 1))}"
            parts.append(mark(style, scale.across(value), start + STEP_PX * place, hint=hint))
    return group(*parts)


def bars(plot: Bars) -> Inside:
    """Draw a bar for each group, from the top."""
    ends = [sum(part.value for part in each.parts) for each in plot.groups]
    scale = scale_of(plot.axis, 0, max(*ends, 1e-9) * 1.05)
    height = BAR_ROW_PX * len(plot.groups) + 4
    rows = (_bar(each, BAR_ROW_PX * i + 2, scale) for i, each in enumerate(plot.groups))
    axis = across_axis(scale, height, plot.axis.title)
    return Inside(height, (axis, *rows), left_px=_room([each.label for each in plot.groups]))


def _bar(each: BarGroup, top: float, scale: Scale) -> Markup:
    parts, start = [_left(each.label, top + BAR_ROW_PX / 2 + 4)], 0.0
    for part in each.parts:
        left, right = scale.at(start), scale.at(start + part.value)
        start += part.value
        if right > left:
            parts.append(_block(each.label, part.text, part.value, part.style, top, left, right))
    return group(*parts)


def _block(
    label: str, named: str, value: float, style: Style, top: float, left: float, right: float
) -> Markup:
    return block(
        style,
        f"{label}, {named}: {tick_text(round(value, 1))}",
        x=percent_of(left),
        width=percent_of(right - left),
        y=float(top + (BAR_ROW_PX - BAR_PX) / 2),
        height=BAR_PX,
    )
