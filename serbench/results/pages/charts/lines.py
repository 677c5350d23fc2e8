"""Curves with bands, such as of a loss over epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from serbench.results.pages.charts.svg import (
    Scale,
    Style,
    across_axis,
    curve,
    down_axis,
    drawing,
    element,
    mark,
    percent_of,
    stretched,
    tick_text,
)

HEIGHT_PX = 200
MARKED = 8
"""Marks along a curve, about."""


@dataclass(frozen=True, slots=True)
class Line:
    """A curve through ``(x, middle)`` with a band from ``low`` to ``high``, all of one length."""

    text: str
    style: Style
    x: tuple[float, ...]
    middle: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Axis:
    """What runs along a side; ``scale`` None: as wide as the values."""

    title: str
    scale: Scale | None = None


def lines(
    name: str, title: str, description: str, drawn: Sequence[Line], across: Axis, down: Axis
) -> Markup:
    """Curves over a common axis; ``drawn`` holds at least one of at least one point."""
    places = [x for line in drawn for x in line.x]
    low, high = min(places), max(places)
    x_scale = across.scale or Scale(low, high if high > low else low + 1)
    values = [v for line in drawn for v in (*line.middle, *line.low, *line.high)]
    top = max(values)
    bottom = min(0.0, *values)
    y_scale = down.scale or Scale(bottom, top * 1.05 if top > bottom else bottom + 1)
    bands = [_band(line, x_scale, y_scale) for line in drawn if line.low]
    curves = [_curve(line, x_scale, y_scale) for line in drawn]
    marks = [each for line in drawn for each in _marks(line, x_scale, y_scale)]
    return drawing(
        name, title, description, HEIGHT_PX,
        down_axis(y_scale, HEIGHT_PX, down.title),
        across_axis(x_scale, HEIGHT_PX, across.title, grid=False),
        stretched(HEIGHT_PX, *bands, *curves),
        *marks,
        left_px=44, top_px=26,
    )  # fmt: skip


def _points(
    line: Line, values: Sequence[float], x_scale: Scale, y_scale: Scale
) -> list[tuple[float, float]]:
    return [
        (x_scale.at(x), 100 - min(max(y_scale.at(y), 0.0), 100.0))
        for x, y in zip(line.x, values, strict=True)
    ]


def _band(line: Line, x_scale: Scale, y_scale: Scale) -> Markup:
    above = _points(line, line.high, x_scale, y_scale)
    below = _points(line, line.low, x_scale, y_scale)
    return curve([*above, *reversed(below)], f"band c{line.style.colour}", closed=True)


def _curve(line: Line, x_scale: Scale, y_scale: Scale) -> Markup:
    points = _points(line, line.middle, x_scale, y_scale)
    joined = "L".join(f"{x:.2f} {y:.2f}" for x, y in points)
    return element(
        "path",
        d=f"M{joined}",
        class_=f"curve c{line.style.colour}",
        stroke_dasharray=line.style.dash or None,
    )


def _marks(line: Line, x_scale: Scale, y_scale: Scale) -> list[Markup]:
    """Some of the points, the first and the last among them."""
    last = len(line.x) - 1
    step = max(1, round(last / MARKED))
    chosen = sorted({*range(0, last, step), last})
    return [
        mark(
            line.style,
            percent_of(x_scale.at(line.x[i])),
            y_scale.down(line.middle[i], HEIGHT_PX),
            hint=f"{line.text} at {tick_text(line.x[i])}: {line.middle[i]:.3f}",
        )
        for i in chosen
    ]
