"""UA against noise, one panel for each, and one for all other conditions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import fill
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from serbench.results.compare.records import TEACHER_PREFIX, Estimate
from serbench.results.report.figures import CHANCE_COLOUR, TEACHER_COLOUR, add_warnings
from serbench.results.report.tables import display_name
from serbench.studies.robustness.conditions import CLEAN, NOISES, Condition
from serbench.studies.robustness.measure import Robustness

COLOURS = ("#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, without the teachers' own."""

LineStyle = Literal["-", "--"]

MARKERS = ("o", "s", "^", "D", "v", "P")

PANELS = {"white": "White noise", "pink": "Pink noise", "babble": "Babble"}


def robustness_figure(found: Robustness, warnings: Sequence[str]) -> Figure:
    """A curve for each method and noise, from clean to the loudest, with its 95 % interval."""
    curves = [
        (PANELS[noise], [CLEAN, *(c for c in found.conditions if c.family == noise)])
        for noise in NOISES
        if any(c.family == noise for c in found.conditions)
    ]
    others = [condition for condition in found.conditions if not condition.is_noise]
    panels = len(curves) + (len(others) > 1 or not curves)
    columns = min(2, panels)
    rows = math.ceil(panels / columns)
    figure = Figure(figsize=(4.6 * columns + 0.4, 3.2 * rows + 1.5), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).flatten()
    for axes, (name, conditions) in zip(grid, curves, strict=False):
        _draw_curves(axes, found, conditions)
        axes.set_title(name, fontsize=11, loc="left")
    if panels > len(curves):
        _draw_points(grid[len(curves)], found, others)
        grid[len(curves)].set_title("Level, band, rooms", fontsize=11, loc="left")
    for axes in grid[panels:]:
        axes.set_visible(False)
    for place, axes in enumerate(grid[:panels]):
        _finish(axes, found, first=place % columns == 0)
    title = f"UA on {found.dataset} in noise, at other levels, over a narrow band, in rooms"
    add_warnings(figure, "", (title, *warnings))
    figure.legend(
        handles=_legend(found), loc="outside lower center", ncols=3, fontsize=9, frameon=False
    )
    return figure


def _style(found: Robustness, method: str) -> tuple[str, str, LineStyle]:
    """Colour, marker and line of a method."""
    if method.startswith(TEACHER_PREFIX):
        teachers = [each for each in found.methods if each.startswith(TEACHER_PREFIX)]
        return TEACHER_COLOUR, MARKERS[teachers.index(method) % len(MARKERS)], "--"
    place = found.methods.index(method)
    return COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)], "-"


def _draw_curves(axes: Axes, found: Robustness, conditions: Sequence[Condition]) -> None:
    places = range(len(conditions))
    for method in found.methods:
        colour, marker, line = _style(found, method)
        uas = [found.scores[condition, method].ua for condition in conditions]
        axes.fill_between(
            places, [100 * ua.low for ua in uas], [100 * ua.high for ua in uas],
            color=colour, alpha=0.13, linewidth=0,
        )  # fmt: skip
        axes.plot(
            places, [100 * ua.value for ua in uas], color=colour, marker=marker, linestyle=line,
            markersize=5, linewidth=1.8,
        )  # fmt: skip
    axes.set_xticks(places, ["clean", *(f"{condition.level:g}" for condition in conditions[1:])])
    axes.set_xlabel("SNR in dB", fontsize=10)


def _draw_points(axes: Axes, found: Robustness, conditions: Sequence[Condition]) -> None:
    """Methods beside each other at each condition."""
    step = 0.7 / max(len(found.methods), 1)
    for row, method in enumerate(found.methods):
        colour, marker, line = _style(found, method)
        shift = (row - (len(found.methods) - 1) / 2) * step
        for place, condition in enumerate(conditions):
            _draw_point(axes, place + shift, found.scores[condition, method].ua, colour, marker,
                        line)  # fmt: skip
    axes.set_xticks(range(len(conditions)), [_tick(condition) for condition in conditions])


def _tick(condition: Condition) -> str:
    """Narrow enough for seven of them side by side."""
    if condition.family == "room":
        return condition.short.replace(" ", "\n", 1)
    return f"{condition.short}\ngain" if condition.family == "gain" else condition.short


def _draw_point(
    axes: Axes, place: float, ua: Estimate, colour: str, marker: str, line: LineStyle
) -> None:
    axes.plot([place, place], [100 * ua.low, 100 * ua.high], color=colour, linestyle=line,
              linewidth=1.6)  # fmt: skip
    axes.plot(place, 100 * ua.value, marker, color=colour, markersize=5)


def _finish(axes: Axes, found: Robustness, *, first: bool) -> None:
    axes.axhline(100 / found.classes, color=CHANCE_COLOUR, linestyle=":", linewidth=1.4)
    axes.set_ylim(0, 100)
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    if first:
        axes.set_ylabel("UA in %, with 95 % interval", fontsize=10)


def _legend(found: Robustness) -> list[Line2D]:
    handles = []
    for method in found.methods:
        colour, marker, line = _style(found, method)
        kind = " (teacher)" if method.startswith(TEACHER_PREFIX) else ""
        label = fill(display_name(method) + kind, 30)
        handles.append(Line2D([], [], color=colour, marker=marker, linestyle=line, label=label))
    chance = Line2D([], [], color=CHANCE_COLOUR, linestyle=":", label="chance")
    return [*handles, chance]
