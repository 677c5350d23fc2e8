"""Cost against score, and the points that no other beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from serbench.results.figure.figure import Point, Scatter, pareto_front
from serbench.results.figure.palette import Style
from serbench.results.figure.svg.elements import (
    Inside,
    Scale,
    across_axis,
    curve,
    down_axis,
    group,
    mark,
    rule,
    scale_of,
    span,
    stretched,
    text,
)

HEIGHT_PX = 300
CLOSE_PX = 15
"""If points are nearer than this, their numbers are moved apart."""


ON_FRONT, BEHIND = Style(2, "diamond"), Style(1)


def scatter(plot: Scatter) -> Inside:
    """Draw points, and the front as a staircase."""
    points = plot.points
    costs = [point.x for point in points]
    x_scale = scale_of(replace(plot.across, log=True), min(costs) / 1.35, max(costs) * 1.35)
    y_scale = scale_of(plot.down, *span([each for p in points for each in (p.low, p.high)]))
    front = pareto_front(points)
    places = _label_places(points, x_scale, y_scale)
    drawn = []
    for point, (x_px, y_px) in zip(points, places, strict=True):
        x, y = x_scale.across(point.x), y_scale.down(point.y, HEIGHT_PX)
        style = ON_FRONT if point in front else BEHIND
        low, high = (y_scale.down(each, HEIGHT_PX) for each in (point.low, point.high))
        drawn.append(group(
            rule(x, low, x, high, f"interval faint c{style.colour}"),
            mark(style, x, y, hint=f"{point.name}: {point.y:.1f} at {point.x:.3g}"),
            group(text(point.label, x, y + y_px, "number", "middle"),
                  transform=f"translate({x_px} 0)"),
        ))  # fmt: skip
    parts = (
        down_axis(y_scale, HEIGHT_PX, plot.down.title),
        across_axis(x_scale, HEIGHT_PX, plot.across.title),
        stretched(HEIGHT_PX, curve(_steps(front, x_scale, y_scale), "curve c2")),
        *drawn,
    )
    return Inside(HEIGHT_PX, parts, left_px=44, top_px=26)


def _steps(front: Sequence[Point], x_scale: Scale, y_scale: Scale) -> list[tuple[float, float]]:
    """The front as a staircase: the best score for at most each cost."""
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
    """Distances in pixels from points to the baselines of their numbers, which do not overlap."""
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
