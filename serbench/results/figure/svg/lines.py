"""Series over an axis, with bands or bars, such as a loss over epochs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from serbench.results.figure.figure import Line, Lines
from serbench.results.figure.svg.elements import (
    Inside,
    Scale,
    across_axis,
    curve,
    down_axis,
    element,
    group,
    mark,
    rule,
    scale_of,
    stretched,
    tick_text,
)

HEIGHT_PX = 200
MARKED = 8
"""Approximate number of marks along a line."""


def lines(plot: Lines) -> Inside:
    """Draw lines above their bands and below their marks."""
    places = [x for line in plot.lines for x in line.x]
    x_scale = scale_of(plot.across, min(places), max(places))
    values = [v for line in plot.lines for v in (*line.middle, *line.low, *line.high)]
    bottom = min(values) if plot.down.log else min(0.0, *values)
    y_scale = scale_of(plot.down, bottom, bottom + (max(values) - bottom) * 1.05)
    bands = [_band(each, x_scale, y_scale) for each in plot.lines if each.low and not each.bars]
    joined = [_joined(each, x_scale, y_scale) for each in plot.lines if each.joined]
    parts = (
        down_axis(y_scale, HEIGHT_PX, plot.down.title),
        across_axis(x_scale, HEIGHT_PX, plot.across.title, grid=False),
        *(_reference(each.value, each.text, y_scale) for each in plot.references),
        stretched(HEIGHT_PX, *bands, *joined),
        *(part for each in plot.lines if each.bars for part in _bars(each, x_scale, y_scale)),
        *(part for each in plot.lines if each.marked for part in _marks(each, x_scale, y_scale)),
    )
    return Inside(HEIGHT_PX, parts, left_px=44, top_px=26)


def _reference(value: float, named: str, y_scale: Scale) -> Markup:
    y = y_scale.down(value, HEIGHT_PX)
    return group(rule("0%", y, "100%", y, "reference"), element("title", named))


def _points(
    line: Line, values: Sequence[float], x_scale: Scale, y_scale: Scale
) -> list[tuple[float, float]]:
    return [(x_scale.at(x), 100 - y_scale.within(y)) for x, y in zip(line.x, values, strict=True)]


def _band(line: Line, x_scale: Scale, y_scale: Scale) -> Markup:
    above = _points(line, line.high, x_scale, y_scale)
    below = _points(line, line.low, x_scale, y_scale)
    return curve([*above, *reversed(below)], f"band c{line.style.colour}", closed=True)


def _joined(line: Line, x_scale: Scale, y_scale: Scale) -> Markup:
    points = _points(line, line.middle, x_scale, y_scale)
    kind = f"curve c{line.style.colour}"
    return curve(points, kind, dash=line.style.dash)


def _bars(line: Line, x_scale: Scale, y_scale: Scale) -> Iterator[Markup]:
    """The interval of each point."""
    for x, low, high in zip(line.x, line.low, line.high, strict=True):
        at, kind = x_scale.across(x), f"interval c{line.style.colour}"
        yield rule(at, y_scale.down(low, HEIGHT_PX), at, y_scale.down(high, HEIGHT_PX), kind)


def _marks(line: Line, x_scale: Scale, y_scale: Scale) -> Iterator[Markup]:
    """The marks of points; a long line has only some of them, with the first and the last."""
    last = len(line.x) - 1
    step = 1 if line.bars else max(1, round(last / MARKED))
    names = dict(x_scale.named)
    for i in sorted({*range(0, last, step), last}):
        x, y = line.x[i], line.middle[i]
        hint = f"{line.text} at {names.get(x) or tick_text(x)}: {y:.3f}"
        yield mark(line.style, x_scale.across(x), y_scale.down(y, HEIGHT_PX), hint=hint)
