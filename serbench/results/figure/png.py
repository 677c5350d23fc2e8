"""Figures as PNG, PDF and SVG files, drawn by matplotlib without a display."""

from __future__ import annotations

import io
import math
from collections.abc import Collection
from dataclasses import dataclass
from textwrap import fill
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.layout_engine import ConstrainedLayoutEngine
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
"""Number of panels next to each other."""

CAPTION_IN, WARNING_IN, KEY_IN = 0.2, 0.155, 0.18
"""Height of a line of the caption, of a warning, and of the legend, in inches."""

NAME = 40
"""Characters in a line of the legend."""

VECTOR: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
}
"""Formats for papers, with metadata that are left out so that files are reproducible."""

SETTINGS = {"svg.hashsalt": "serbench", "pdf.fonttype": 42}
"""Settings for ids that do not change, and for fonts that publishers ask for."""


class Drawing(Canvas):
    """A matplotlib figure that notebooks show even if pyplot is not used in them."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
        return buffer.getvalue()


def png(figure: Figure) -> bytes:
    """The figure as PNG. The same figure gives the same bytes."""
    return figure_files(figure, ())[".png"]


def figure_files(figure: Figure, vector: Collection[str] | None = None) -> dict[str, bytes]:
    """The content of each file by its suffix: PNG, and the ``vector`` formats (None: all). The same
    figure gives the same bytes.
    """
    canvas = drawn(figure)
    FigureCanvasAgg(canvas)
    if (layout := canvas.get_layout_engine()) is not None:
        layout.execute(canvas)
    canvas.set_layout_engine(None)  # laid out already; each file would do it again, and draw twice
    files = {".png": canvas._repr_png_()}
    with rc_context(SETTINGS):  # pyright: ignore[reportArgumentType]
        for name in VECTOR if vector is None else vector:
            buffer = io.BytesIO()
            canvas.savefig(buffer, format=name, metadata=VECTOR[name])
            files[f".{name}"] = buffer.getvalue()
    return files


def drawn(figure: Figure) -> Drawing:
    """The figure as matplotlib's: an alarm above, its legend, caption and warnings below."""
    columns = min(COLUMNS, len(figure.panels))
    rows = math.ceil(len(figure.panels) / columns)
    sizes = [size_of(panel.plot) for panel in figure.panels]
    width, height = (max(size[side] for size in sizes) for side in (0, 1))
    width *= columns
    alarm = fill(figure.alarm, int(11 * width))
    below = _below(figure, width)
    room = sum(CAPTION_IN if part.caption else WARNING_IN for part in below) + 0.1
    names = [fill(key.text, NAME).count("\n") + 1 for key in figure.legend]
    keys = KEY_IN * sum(max(names[i : i + COLUMNS]) for i in range(0, len(names), COLUMNS))
    keys += KEY_IN if names else 0
    high = rows * height + CAPTION_IN * (1 + len(alarm.splitlines())) + keys + room
    free = (keys + room) / high
    layout = ConstrainedLayoutEngine(rect=(0, free, 1, 1 - free))
    canvas = Drawing(figsize=(width, high), dpi=DPI, layout=layout)
    grid = canvas.add_gridspec(rows, columns)
    for number, panel in enumerate(figure.panels):
        row, column = divmod(number, columns)
        alone = number == len(figure.panels) - 1 and column == 0
        axes = canvas.add_subplot(grid[row, :] if alone else grid[row, column])
        draw(axes, panel.plot)
        if panel.heading:
            axes.set_title(panel.heading, fontsize=11, loc="left")
    if alarm:
        canvas.suptitle(alarm, fontsize=11, color=ALARM_COLOUR, parse_math=False)
    if figure.legend:
        canvas.legend(
            handles=[_handle(key) for key in figure.legend],
            loc="upper center",
            bbox_to_anchor=(0.5, free),
            borderaxespad=0,
            ncols=COLUMNS,
            fontsize=9,
            frameon=False,
        )
    _write(canvas, below, room)
    return canvas


@dataclass(frozen=True, slots=True)
class _Line:
    """A line below a figure; warnings are smaller than the caption."""

    text: str
    caption: bool


def _below(figure: Figure, width: float) -> list[_Line]:
    """Caption and warnings in lines that fit, without the warning that repeats the alarm."""
    caption = figure.caption.removeprefix(f"{figure.alarm}. ")
    warnings = [w for w in figure.warnings if not (figure.alarm and w.startswith(figure.alarm))]
    lines = [_Line(line, caption=True) for line in fill(caption, int(11 * width)).splitlines()]
    small = [line for each in warnings for line in fill(each, int(14 * width)).splitlines()]
    return lines + [_Line(line, caption=False) for line in small]


def _write(canvas: Drawing, lines: list[_Line], room: float) -> None:
    """Write lines into the lowest ``room`` inches of a figure."""
    top = room - 0.05
    for line in lines:
        style: dict[str, Any] = (
            {"fontsize": 11} if line.caption else {"fontsize": 8.5, "color": GREY_HEX}
        )
        place = top / canvas.get_figheight()
        canvas.text(0.5, place, line.text, ha="center", va="top", parse_math=False, **style)
        top -= CAPTION_IN if line.caption else WARNING_IN


def draw(axes: Axes, plot: Plot) -> None:
    """Draw a plot.

    Raises:
        ValueError: only pages can show this kind of plot.
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
    text, style = fill(key.text, NAME), key.style
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
