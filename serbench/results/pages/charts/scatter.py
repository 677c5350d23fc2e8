"""Cost against score, and those that no other beats in both."""

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
    group,
    mark,
    rule,
    span,
    stretched,
    text,
)

HEIGHT_PX = 300
CLOSE_PX = 15
"""Numbers of points that are nearer than this are moved apart."""


@dataclass(frozen=True, slots=True)
class Point:
    """What costs ``x`` (less is better) and scores ``y`` (more is better), with its interval.

    Attributes:
        label: the short name that stands beside it, such as its number in the legend.
        hint: the whole name.
    """

    label: str
    hint: str
    x: float
    y: float
    low: float
    high: float


def pareto_front(points: Sequence[Point]) -> tuple[Point, ...]:
    """Those that no other beats: none is at least as good in both and better in one."""
    front: list[Point] = []
    for point in sorted(points, key=lambda each: (each.x, -each.y)):
        if not front or point.y > front[-1].y:
            front.append(point)
    return tuple(front)


def scatter(
    name: str, title: str, description: str, points: Sequence[Point], across: str, down: str
) -> Markup:
    """Points over a logarithmic cost, the front joined by steps; at least one point."""
    costs = [point.x for point in points]
    x_scale = Scale(min(costs) / 1.35, max(costs) * 1.35, log=True)
    y_scale = span([each for p in points for each in (p.low, p.high)], least=0.5)
    front = pareto_front(points)
    on, off = Style(2, "diamond"), Style(1, "circle")
    places = _label_places(points, x_scale, y_scale)
    drawn = []
    for point, (x_px, y_px) in zip(points, places, strict=True):
        x, y = x_scale.across(point.x), y_scale.down(point.y, HEIGHT_PX)
        style = on if point in front else off
        low, high = (y_scale.down(each, HEIGHT_PX) for each in (point.low, point.high))
        drawn.append(group(
            rule(x, low, x, high, f"interval faint c{style.colour}"),
            mark(style, x, y, hint=f"{point.hint}: {point.y:.1f} at {point.x:.3g}"),
            group(text(point.label, x, y + y_px, "number", "middle"),
                  transform=f"translate({x_px} 0)"),
        ))  # fmt: skip
    return drawing(
        name, title, description, HEIGHT_PX,
        down_axis(y_scale, HEIGHT_PX, down),
        across_axis(x_scale, HEIGHT_PX, across),
        stretched(HEIGHT_PX, curve(_steps(front, x_scale, y_scale), "curve c2")),
        *drawn,
        left_px=44, top_px=26,
    )  # fmt: skip


def _steps(front: Sequence[Point], x_scale: Scale, y_scale: Scale) -> list[tuple[float, float]]:
    """The front as a staircase: what is had for no more than so much."""
    steps: list[tuple[float, float]] = []
    for point in front:
        x, y = x_scale.at(point.x), 100 - y_scale.at(point.y)
        if steps:
            steps.append((x, steps[-1][1]))
        steps.append((x, y))
    return [*steps, (100.0, steps[-1][1])]


def _label_places(
    points: Sequence[Point], x_scale: Scale, y_scale: Scale
) -> list[tuple[float, float]]:
    """Pixels from each point to the baseline of its number, none on another's number."""
    choices = [
        (11, -6), (-11, -6), (11, 15), (-11, 15), (0, -20), (0, 29), (14, -20), (-14, -20),
        (14, 29), (-14, 29), (0, -34), (0, 43),
    ]  # fmt: skip
    taken: list[tuple[float, float]] = []
    places: list[tuple[float, float]] = []
    for point in points:
        x = 5 * x_scale.at(point.x)  # as if the drawing were 500 pixels wide
        y = y_scale.down(point.y, HEIGHT_PX)
        free = [
            choice
            for choice in choices
            if all(
                abs(x + choice[0] - a) >= CLOSE_PX or abs(y + choice[1] - b) >= CLOSE_PX
                for a, b in taken
            )
        ]
        chosen = free[0] if free else choices[len(places) % len(choices)]
        taken.append((x + chosen[0], y + chosen[1]))
        places.append(chosen)
    return places
