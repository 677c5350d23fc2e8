"""Draws each kind of plot into matplotlib's axes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from textwrap import fill
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import offset_copy

from serbench.results.figure.figure import (
    Axis,
    Bars,
    Diagram,
    Forest,
    ForestRow,
    Histogram,
    Line,
    Lines,
    Matrix,
    Plot,
    Point,
    Scatter,
    pareto_front,
)
from serbench.results.figure.layout import WIDTH_IN, laid_out
from serbench.results.figure.palette import COLOURS, GREY, Mark, Style

GREY_HEX, GRID_HEX = COLOURS[GREY - 1], "#dddddd"
MARKERS: dict[Mark, str] = {
    "circle": "o", "diamond": "D", "square": "s", "up": "^", "down": "v", "plus": "P", "cross": "X",
}  # fmt: skip
ON_FRONT, BEHIND = Style(2, "diamond"), Style(1)
STROKES = {"axis": ("black", 1), "bar": ("black", 3.5), "critical": (GREY_HEX, 1),
           "leader": (COLOURS[0], 1)}  # fmt: skip
ANCHORS = {"end": "right", "start": "left", "middle": "center"}
Grid = Literal["both", "x", "y"]

LEAST_LOG = 0.7
"""Lower end of a logarithmic axis of counts, chosen so that a count of 1 has a bar."""

NEARLY = 1.06
"""Points whose costs differ by no greater ratio share one stack of names."""

LINE = 0.045
"""Height of a line of names, as a share of the drawing."""

NUMBERED = 16
"""Up to this number of points, each has its value next to it."""


def colour_of(style: Style) -> str:
    """A style's colour for matplotlib."""
    return COLOURS[style.colour - 1]


def marker_of(style: Style) -> str:
    """A style's marker for matplotlib."""
    return MARKERS[style.mark]


def dash_of(style: Style) -> Any:
    """A style's dashes for matplotlib, whose type stubs have no name for a pattern of dashes."""
    return (0, tuple(map(float, style.dash.split()))) if style.dash else "-"


def size_of(plot: Plot) -> tuple[float, float]:
    """Width and height that a plot needs, in inches."""
    match plot:
        case Forest():
            return 7.2, 1.2 + 0.38 * len(_places(plot)[1])
        case Bars():
            return 5.6, 1.2 + 0.34 * len(plot.groups)
        case Matrix():
            return 3.5 + 0.62 * len(plot.labels), 2.6 + 0.62 * len(plot.labels)
        case Diagram():
            return WIDTH_IN, laid_out(plot).height
        case Lines() if len(plot.across.ticks) > 8:
            return 6.6, 3.7
        case _:
            return 5.4, 3.7


def _frame(axes: Axes, across: Axis, down: Axis | None, *, grid: Grid) -> None:
    """Set titles, ends and ticks, and a grid behind everything."""
    axes.set_xlabel(across.title, fontsize=10)
    if across.log:
        axes.set_xscale("log")
    _ends(axes.set_xlim, across)
    if across.ticks:
        axes.set_xticks([at for at, _ in across.ticks], [named for _, named in across.ticks])
    if down is not None:
        axes.set_ylabel(down.title, fontsize=10)
        if down.log:
            axes.set_yscale("log")
        _ends(axes.set_ylim, down)
    axes.grid(axis=grid, color=GRID_HEX, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)


def _ends(limit: Callable[[float | None, float | None], object], axis: Axis) -> None:
    """Set the ends of an axis; without ends of its own it stays as wide as its values."""
    if axis.low is not None or axis.high is not None:
        limit(axis.low, axis.high)


def _rows(axes: Axes, count: int, labels: dict[int, str]) -> None:
    """Show rows from the top, with labels at the left instead of an axis."""
    axes.set_yticks([*labels], [*labels.values()])
    axes.set_ylim(count - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, labelsize=9.5)
    axes.spines["left"].set_visible(False)


def _places(plot: Forest) -> tuple[dict[int, str], list[ForestRow | None]]:
    """Headings by place, and the row at each place."""
    headings: dict[int, str] = {}
    places: list[ForestRow | None] = []
    for row in plot.rows:
        if row.group and row.group not in headings.values():
            headings[len(places)] = row.group
            places.append(None)
        places.append(row)
    return headings, places


def draw_forest(axes: Axes, plot: Forest) -> None:
    """Values with their intervals, headings over groups."""
    headings, places = _places(plot)
    _frame(axes, plot.axis, None, grid="x")
    if plot.reference is not None:
        axes.axvline(plot.reference.value, color=GREY_HEX, linestyle="--", linewidth=1.2)
        axes.annotate(
            plot.reference.text, (plot.reference.value, 0), xycoords=("data", "axes fraction"),
            xytext=(3, 2), textcoords="offset points", fontsize=8, color=GREY_HEX,
        )  # fmt: skip
    for place, row in enumerate(places):
        if row is not None:
            _forest_row(axes, place, row)
    for place, heading in headings.items():
        axes.annotate(
            heading, (0, place), xycoords=("axes fraction", "data"), ha="right", va="center",
            xytext=(-4, 0), textcoords="offset points", fontsize=10, fontweight="bold",
        )  # fmt: skip
    labels = {at: fill(row.label, 36) for at, row in enumerate(places) if row is not None}
    _rows(axes, len(places), labels)
    axes.margins(x=0.12)


def _forest_row(axes: Axes, place: int, row: ForestRow) -> None:
    """A point with its interval and its value, or words if there is no value."""
    if row.value is None:
        axes.annotate(
            fill(row.said, 60), (0.02, place), xycoords=("axes fraction", "data"), va="center",
            fontsize=8, color=GREY_HEX, bbox={"facecolor": "white", "edgecolor": "none"},
        )  # fmt: skip
        return
    colour = colour_of(row.style)
    axes.plot([row.low, row.high], [place, place], color=colour, linewidth=2)
    axes.plot(
        row.value, place, marker_of(row.style), color=colour, markersize=7, clip_on=False,
        markerfacecolor="white" if row.tone == "unclear" else colour,
    )  # fmt: skip
    axes.annotate(
        re.split(r" \[|[,:]", row.said)[0], (row.value, place), xytext=(0, 6.5),
        textcoords="offset points", ha="center", fontsize=8, parse_math=False,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.2},
    )  # fmt: skip


def draw_lines(axes: Axes, plot: Lines) -> None:
    """Series with bands or bars."""
    _frame(axes, plot.across, plot.down, grid="y" if plot.across.ticks else "both")
    for each in plot.references:
        axes.axhline(each.value, color=GREY_HEX, linestyle=":", linewidth=1.4)
        axes.annotate(
            each.text, (1, each.value), xycoords=("axes fraction", "data"), xytext=(-2, 2),
            textcoords="offset points", ha="right", fontsize=8, color=GREY_HEX,
        )  # fmt: skip
    for line in plot.lines:
        _line(axes, line)
    if not plot.across.ticks and not plot.across.log:
        axes.locator_params(axis="x", integer=all(x == int(x) for x in _across(plot)))
    if plot.down.low is None and not plot.down.log and min(_values(plot)) >= 0:
        axes.set_ylim(bottom=0)


def _across(plot: Lines) -> list[float]:
    return [x for line in plot.lines for x in line.x]


def _values(plot: Lines) -> list[float]:
    return [value for line in plot.lines for value in (*line.middle, *line.low)]


def _line(axes: Axes, line: Line) -> None:
    colour = colour_of(line.style)
    if line.bars:
        axes.vlines(line.x, line.low, line.high, color=colour, linewidth=1.6)
    elif line.low:
        axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.14, linewidth=0)
    marker = marker_of(line.style) if line.marked and (line.bars or len(line.x) <= NUMBERED) else ""
    axes.plot(
        line.x, line.middle, color=colour, marker=marker, markersize=5,
        linestyle=dash_of(line.style) if line.joined else "", linewidth=1.2 if line.bars else 1.8,
    )  # fmt: skip


def draw_bars(axes: Axes, plot: Bars) -> None:
    """Stacked bars, with words at their ends."""
    _frame(axes, plot.axis, None, grid="x")
    longest = 0.0
    for place, group in enumerate(plot.groups):
        start = 0.0
        for part in group.parts:
            axes.barh(place, part.value, left=start, height=0.7, color=colour_of(part.style))
            start += part.value
        longest = max(longest, start)
        axes.annotate(
            group.said, (start, place), xytext=(4, 0), textcoords="offset points", va="center",
            fontsize=8.5,
        )  # fmt: skip
    _rows(axes, len(plot.groups), {at: fill(g.label, 26) for at, g in enumerate(plot.groups)})
    axes.set_xlim(plot.axis.low or 0, plot.axis.high or max(1.0, 1.3 * longest))


def draw_histogram(axes: Axes, plot: Histogram) -> None:
    """Groups next to each other in every bin."""
    _frame(axes, plot.across, plot.down, grid="y")
    edges = np.array(plot.edges)
    widths = np.diff(edges) / len(plot.groups)
    for place, group in enumerate(plot.groups):
        axes.bar(
            edges[:-1] + place * widths, group.counts, 0.92 * widths, align="edge",
            color=colour_of(group.style),
        )  # fmt: skip
    axes.set_xlim(edges[0], edges[-1])
    if plot.down.log:
        axes.set_ylim(bottom=LEAST_LOG)
        axes.yaxis.set_major_formatter("{x:.0f}")


def draw_scatter(axes: Axes, plot: Scatter) -> None:
    """Points with their names, and the Pareto front as a staircase."""
    points, front = plot.points, pareto_front(plot.points)
    costs = [point.x for point in points]
    across = Axis(
        plot.across.title, min(costs) / 1.35, max(costs) * 1.9, log=True, ticks=_round(costs)
    )
    _frame(axes, across, plot.down, grid="both")
    axes.minorticks_off()
    bounds = [value for point in points for value in (point.y, point.low, point.high)]
    margin = 0.05 * (max(bounds) - min(bounds)) or 1.0
    axes.set_ylim(min(bounds) - margin, max(bounds) + margin)
    axes.plot(
        [*(each.x for each in front), max(costs) * 1.9], [*(e.y for e in front), front[-1].y],
        color=colour_of(ON_FRONT), linewidth=1.4, drawstyle="steps-post",
    )  # fmt: skip
    stacks = _stacks(points)
    for place, stack in enumerate(stacks):
        _draw_stack(axes, stack, front, above=place % 2 == 0)


def _stacks(points: Sequence[Point]) -> list[list[Point]]:
    """Points of nearly the same cost together, from the left; within each stack, from the top."""
    stacks: list[list[Point]] = []
    for point in sorted(points, key=lambda each: each.x):
        if stacks and point.x <= stacks[-1][-1].x * NEARLY:
            stacks[-1].append(point)
        else:
            stacks.append([point])
    return [sorted(stack, key=lambda each: -each.y) for stack in stacks]


def _draw_stack(axes: Axes, stack: list[Point], front: tuple[Point, ...], *, above: bool) -> None:
    """Points with their intervals and names; names of several points are stacked next to them."""
    low, high = axes.get_ylim()
    beside = high
    for point in stack:
        style = ON_FRONT if point in front else BEHIND
        same = [each for each in stack if each.x == point.x]
        shift = 4.0 * (same.index(point) - (len(same) - 1) / 2)  # separates intervals, in points
        shifted = offset_copy(axes.transData, axes.get_figure(root=True), shift, units="points")
        bar = {"color": colour_of(style), "alpha": 0.45, "transform": shifted}
        axes.plot([point.x] * 2, [point.low, point.high], **bar)
        axes.plot(point.x, point.y, marker_of(style), color=colour_of(style), markersize=7)
        text: dict[str, Any] = {
            "textcoords": "offset points", "fontsize": 7.5, "ha": "left",
            "rotation_mode": "anchor", "parse_math": False,
            "bbox": {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.5},
        }  # fmt: skip
        if len(stack) > 1:
            beside = min(point.y, beside - LINE * (high - low))
            at = (max(each.x for each in stack), beside)
            axes.annotate(point.name, at, xytext=(4.0 * len(stack), 0), va="center", **text)
        else:
            tilt = {"rotation": 35, "va": "bottom"} if above else {"rotation": -35, "va": "top"}
            at = (point.x, point.y)
            axes.annotate(point.name, at, xytext=(7, 7 if above else -7), **tilt, **text)


def _round(costs: list[float]) -> tuple[tuple[float, str], ...]:
    """Round values near the given costs, with their names."""
    steps = [digit * 10.0**power for power in range(-6, 9) for digit in (1, 2, 5)]
    return tuple((s, f"{s:g}") for s in steps if min(costs) / 1.35 <= s <= max(costs) * 1.9)


def draw_matrix(axes: Axes, plot: Matrix) -> None:
    """Counts, coloured by the share of the true class."""
    counts = np.array(plot.counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100)
    for row, column in np.ndindex(*counts.shape):
        share = shares[row, column]
        axes.text(
            column, row, str(counts[row, column]), ha="center", va="center", fontsize=11,
            color="#8a8a8a" if share == 0 else "white" if share > 0.7 else "black",
            fontweight="bold" if row == column else "normal",
        )  # fmt: skip
    places = range(len(plot.labels))
    axes.set_xticks(places, plot.labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, plot.labels)
    axes.tick_params(length=0, labelsize=10)
    axes.set_xlabel("Predicted class", fontsize=11)
    axes.set_ylabel("True class", fontsize=11)
    assert axes.figure is not None
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.85)
    bar.set_label("Share of the true class in %", fontsize=10)


def draw_diagram(axes: Axes, plot: Diagram) -> None:
    """A critical-difference diagram, rank 1 on the left."""
    layout = laid_out(plot)
    axes.set_xlim(0, WIDTH_IN)
    axes.set_ylim(layout.height, 0)
    axes.set_axis_off()
    for stroke in layout.strokes:
        colour, width = STROKES[stroke.kind]
        x, y = zip(*stroke.points, strict=True)
        axes.plot(x, y, color=colour, linewidth=width)
    for each in layout.words:
        axes.text(
            each.x, each.y, each.text, ha=ANCHORS[each.anchor], va="center", fontsize=9,
            color=GREY_HEX if each.quiet else "black", parse_math=False,
        )  # fmt: skip
