"""Values with their intervals, one under the other."""

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
    span,
    text,
)

ROW_PX, LINE_PX, FIRST_PX = 50, 17, 8
LONGEST = 34
"""Characters of a label that are shown; its table has all."""

BESIDE = 42
"""Characters of a label and what is said of it that fit side by side on a phone."""


@dataclass(frozen=True, slots=True)
class ForestRow:
    """A value with its interval, in the axis's unit.

    Attributes:
        said: stands over the interval, at the right or under the label.
        kind: a class of the stylesheet: ``better``, ``worse``, ``unclear`` or none. An ``unclear``
            one has a hollow mark and a dashed interval.
    """

    label: str
    said: str
    value: float
    low: float
    high: float
    style: Style
    kind: str = ""


def forest(
    name: str,
    title: str,
    description: str,
    rows: Sequence[ForestRow],
    axis: str,
    reference: float | None = None,
    reference_text: str = "",
) -> Markup:
    """Each row its label, what is said of it, and its interval.

    Args:
        name: unique on the page.
        title: of the drawing.
        description: of the drawing.
        rows: at least one.
        axis: title of the axis.
        reference: a value to draw a line at, such as chance or no difference.
        reference_text: what that line is.
    """
    held = [each for row in rows for each in (row.low, row.high)]
    scale = span(held if reference is None else [*held, reference], least=0.5)
    below = max(len(shortened(row.label, LONGEST)) + len(row.said) for row in rows) > BESIDE
    room = ROW_PX + LINE_PX * below
    height = FIRST_PX + room * len(rows)
    parts = [across_axis(scale, height, axis)]
    if reference is not None:
        x = scale.across(reference)
        parts.append(group(rule(x, 0, x, height, "reference"), element("title", reference_text)))
    for index, row in enumerate(rows):
        parts.append(_row(row, FIRST_PX + room * index, scale, below=below))
    return drawing(name, title, description, height, *parts)


def _row(row: ForestRow, top: float, scale: Scale, *, below: bool) -> Markup:
    at, low, high = map(scale.across, (row.value, row.low, row.high))
    middle = top + 29 + LINE_PX * below
    said = (
        text(row.said, "0%", top + 12 + LINE_PX, "said")
        if below
        else text(row.said, "100%", top + 12, "said", "end")
    )
    colour = row.kind or f"c{row.style.colour}"
    unclear = row.kind == "unclear"
    interval = f"interval {colour}"
    return group(
        text(shortened(row.label, LONGEST), "0%", top + 12, "name"),
        said,
        rule(low, middle, high, middle, interval),
        rule(low, middle - 5, low, middle + 5, f"{interval} cap"),
        rule(high, middle - 5, high, middle + 5, f"{interval} cap"),
        mark(
            row.style, at, middle, hint=f"{row.label}: {row.said}", hollow=unclear, colour=row.kind
        ),
        class_=f"row {row.kind}".strip(),
    )
