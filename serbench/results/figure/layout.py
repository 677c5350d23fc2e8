"""Computes the places in a critical-difference diagram (Demšar, *JMLR* 7, 2006, figure 1)."""

from __future__ import annotations

from dataclasses import dataclass

from serbench.results.figure.figure import Diagram

LONG_NAME = 22
"""Names with more characters are cut in the figure; the table has the whole name."""

WIDTH_IN, LINE_IN = 7.6, (2.35, 5.25)
"""Width of the figure, and the two ends of its line of ranks, in inches."""

TOP_IN, LEVEL_IN, ROW_IN = 0.9, 0.16, 0.26
"""From the top to the line of ranks, between bars, and between names, in inches."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line through points in inches from the upper left.

    Attributes:
        kind: ``axis``, ``bar`` over methods that do not differ significantly, ``critical``
            difference, or ``leader`` from a rank to its name.
    """

    points: tuple[tuple[float, float], ...]
    kind: str


@dataclass(frozen=True, slots=True)
class Words:
    """A text centred at a height; ``quiet`` texts are less visible."""

    text: str
    x: float
    y: float
    anchor: str
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """All strokes and words, and their total height."""

    height: float
    strokes: tuple[Stroke, ...]
    words: tuple[Words, ...]


def laid_out(plot: Diagram) -> Layout:
    """Place names, the best on the left from the top, and bars without overlap."""
    bars, levels = _bars(plot)
    below = TOP_IN + 0.2 + LEVEL_IN * levels
    half = (len(plot.names) + 1) // 2
    strokes, words = _scale(plot)
    strokes += bars
    for place, (name, rank) in enumerate(zip(plot.names, plot.ranks, strict=True)):
        left = place < half
        y = below + ROW_IN * (place if left else len(plot.names) - 1 - place)
        x, end = _x(rank, plot), LINE_IN[0] - 0.2 if left else LINE_IN[1] + 0.2
        strokes.append(Stroke(((x, TOP_IN), (x, y), (end, y)), "leader"))
        anchor, beside = ("end", -0.06) if left else ("start", 0.06)
        words.append(Words(f"{_short(name)}  {rank:.2f}", end + beside, y, anchor))
    return Layout(below + ROW_IN * (half - 0.3), tuple(strokes), tuple(words))


def _x(rank: float, plot: Diagram) -> float:
    first, last = LINE_IN
    return first + (last - first) * (rank - 1) / (len(plot.names) - 1)


def _short(name: str) -> str:
    return name if len(name) <= LONG_NAME else f"{name[: LONG_NAME - 1]}…"


def _scale(plot: Diagram) -> tuple[list[Stroke], list[Words]]:
    """The line of ranks, and the critical difference above it if there is room."""
    first, last = LINE_IN
    strokes = [Stroke(((first, TOP_IN), (last, TOP_IN)), "axis")]
    words = []
    for rank in range(1, len(plot.names) + 1):
        x = _x(rank, plot)
        strokes.append(Stroke(((x, TOP_IN), (x, TOP_IN - 0.06)), "axis"))
        words.append(Words(str(rank), x, TOP_IN - 0.16, "middle"))
    caption, end = f"critical difference {plot.critical:.2f}", _x(1 + plot.critical, plot)
    if end < WIDTH_IN - 0.1:
        strokes.append(Stroke(((first, 0.38), (end, 0.38)), "critical"))
        strokes += [Stroke(((x, 0.33), (x, 0.43)), "critical") for x in (first, end)]
    else:
        caption += ", more than any two ranks can differ"
    return strokes, [*words, Words(caption, first, 0.2, "start", quiet=True)]


def _bars(plot: Diagram) -> tuple[list[Stroke], int]:
    """A bar for each group of two or more on the first level with room, and the number of
    levels.
    """
    bars: list[Stroke] = []
    ends: list[float] = []  # end of the last bar on each level
    for first, last in ((_x(plot.ranks[a], plot), _x(plot.ranks[b], plot))
                        for a, b in plot.groups if a < b):  # fmt: skip
        level = next((i for i, end in enumerate(ends) if end + 0.2 < first), len(ends))
        ends[level : level + 1] = [last]
        y = TOP_IN + LEVEL_IN * (level + 1)
        bars.append(Stroke(((first - 0.05, y), (last + 0.05, y)), "bar"))
    return bars, len(ends)
