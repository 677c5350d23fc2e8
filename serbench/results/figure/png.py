"""Figures as PNG files, drawn by matplotlib without a display."""

from __future__ import annotations

import io
import math
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from serbench.results.figure.drawn import (
    GREY_HEX,
    colour_of,
    dash_of,
    draw_bars,
    draw_diagram,
    draw_forest,
    draw_histogram,
    draw_lines,
    draw_matrix,
    draw_scatter,
    marker_of,
    size_of,
)
from serbench.results.figure.figure import (
    Bars,
    Diagram,
    Figure,
    Forest,
    Histogram,
    Key,
    Lines,
    Matrix,
    Plot,
    Scatter,
)

ALARM_COLOUR = "#b00020"
DPI = 160
COLUMNS = 2
"""Panels side by side."""


class Drawing(Canvas):
    """A figure of matplotlib that notebooks show, whether or not its pyplot is used there."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
        return buffer.getvalue()


def png(figure: Figure) -> bytes:
    """The figure as PNG. The same figure gives the same bytes."""
    canvas = drawn(figure)
    FigureCanvasAgg(canvas)
    return canvas._repr_png_()


def drawn(figure: Figure) -> Drawing:
    """The figure as matplotlib has it."""
    columns = min(COLUMNS, len(figure.panels))
    rows = math.ceil(len(figure.panels) / columns)
    sizes = [size_of(panel.plot) for panel in figure.panels]
    width, height = (max(size[side] for size in sizes) for side in (0, 1))
    above, below = _above(figure, columns * width), _below(figure, columns * width)
    lines = len(above) + len(below) - (-len(figure.legend) // COLUMNS)
    canvas = Drawing(
        figsize=(columns * width, rows * height + 0.2 * lines + 0.2), layout="constrained"
    )
    grid = canvas.add_gridspec(rows, columns)
    for place, panel in enumerate(figure.panels):
        row, column = divmod(place, columns)
        alone = place == len(figure.panels) - 1 and column == 0
        axes = canvas.add_subplot(grid[row, :] if alone else grid[row, column])
        draw(axes, panel.plot)
        if panel.heading:
            axes.set_title(panel.heading, fontsize=11, loc="left")
    colour = ALARM_COLOUR if figure.alarm else "black"
    canvas.suptitle("\n".join(above), fontsize=11, color=colour, parse_math=False)
    if figure.legend or below:
        legend = canvas.legend(
            handles=[_handle(key) for key in figure.legend],
            title="\n".join(below),
            title_fontproperties={"size": 8.5},
            loc="outside lower center",
            ncols=COLUMNS,
            fontsize=9,
            frameon=False,
        )
        legend.get_title().set(color=GREY_HEX, parse_math=False)
    return canvas


def _above(figure: Figure, width: float) -> list[str]:
    """Alarm and caption in lines that fit."""
    caption = figure.caption.removeprefix(f"{figure.alarm}. ")
    said = [figure.alarm, caption] if figure.alarm else [caption]
    return [line for each in said for line in fill(each, int(11 * width)).splitlines()]


def _below(figure: Figure, width: float) -> list[str]:
    """Warnings in lines that fit, but for the one that says what the alarm says."""
    said = [w for w in figure.warnings if not (figure.alarm and w.startswith(figure.alarm))]
    return [line for each in said for line in fill(each, int(14 * width)).splitlines()]


def draw(axes: Axes, plot: Plot) -> None:
    """Draw a plot.

    Raises:
        ValueError: it is of a kind that only pages show.
    """
    match plot:
        case Forest():
            draw_forest(axes, plot)
        case Lines():
            draw_lines(axes, plot)
        case Bars():
            draw_bars(axes, plot)
        case Histogram():
            draw_histogram(axes, plot)
        case Scatter():
            draw_scatter(axes, plot)
        case Matrix():
            draw_matrix(axes, plot)
        case Diagram():
            draw_diagram(axes, plot)
        case _:
            raise ValueError(f"a {plot.kind} is not drawn into a file")


def _handle(key: Key) -> Line2D | Patch:
    text, style = fill(key.text, 40), key.style
    if key.kind == "bar":
        return Patch(color=colour_of(style), label=text)
    return Line2D(
        [],
        [],
        color=colour_of(style),
        marker=marker_of(style),
        linestyle=dash_of(style) if key.kind == "line" else "",
        label=text,
    )
