"""The critical-difference diagram: methods on a line of average ranks, bars over those that cannot
be told apart (Demšar, *JMLR* 7, 2006, figure 1).
"""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from serbench.results.compare.ranks import Ranks
from serbench.results.report.figures import CHANCE_COLOUR, STUDENT_COLOUR

LONG_NAME = 22
"""Characters beyond which a name is cut in the figure; the table has it whole."""

WIDTH_IN, LINE_IN = 7.6, (2.35, 5.25)
"""Width of the figure, and where the line of ranks begins and ends in it, in inches."""

TOP_IN, LEVEL_IN, ROW_IN = 0.9, 0.16, 0.26
"""From the top to the line of ranks, between bars, and between names, in inches."""


@dataclass(frozen=True, slots=True)
class Label:
    """A method's name beside the line.

    Attributes:
        text: the name, cut where it is long.
        rank: its average rank.
        x: on the line, in inches.
        y: of the name, in inches from the top.
        left: the better half stands on the left.
    """

    text: str
    rank: float
    x: float
    y: float
    left: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """A group of at least two methods, in inches."""

    first: float
    last: float
    y: float


@dataclass(frozen=True, slots=True)
class Diagram:
    """Where things stand in a critical-difference diagram, in inches from the upper left.

    Attributes:
        height: of all.
        ticks: of the line, by rank.
        critical: where the critical difference ends, which begins with the line; None where it has
            no room, being longer than any two ranks can be apart.
        caption: over it.
    """

    height: float
    ticks: tuple[tuple[int, float], ...]
    labels: tuple[Label, ...]
    bars: tuple[Bar, ...]
    critical: float | None
    caption: str


def diagram(ranks: Ranks) -> Diagram:
    """Lay out names, the best on the left from the top, and bars without overlap."""
    count = len(ranks.methods)
    bars, levels = _bars(ranks)
    half = (count + 1) // 2
    below = TOP_IN + 0.2 + LEVEL_IN * levels
    labels = tuple(
        Label(
            text=short(method),
            rank=float(rank),
            x=_x(float(rank), count),
            y=below + ROW_IN * (place if place < half else count - 1 - place),
            left=place < half,
        )
        for place, (method, rank) in enumerate(zip(ranks.methods, ranks.average, strict=True))
    )
    critical = _x(1 + ranks.critical_difference, count)
    fits = critical < WIDTH_IN - 0.1
    caption = f"critical difference {ranks.critical_difference:.2f}"
    return Diagram(
        height=below + ROW_IN * (half - 0.3),
        ticks=tuple((rank, _x(rank, count)) for rank in range(1, count + 1)),
        labels=labels,
        bars=bars,
        critical=critical if fits else None,
        caption=caption if fits else f"{caption}, more than ranks can be apart",
    )


def _x(rank: float, count: int) -> float:
    first, last = LINE_IN
    return first + (last - first) * (rank - 1) / (count - 1)


def _bars(ranks: Ranks) -> tuple[tuple[Bar, ...], int]:
    """A bar for each group of two and more on the first level that has room; and the levels."""
    places = dict(zip(ranks.methods, ranks.average.tolist(), strict=True))
    bars: list[Bar] = []
    ends: list[float] = []  # of the last bar on each level
    for group in ranks.groups:
        if len(group) < 2:
            continue
        first, last = (_x(places[group[end]], len(places)) for end in (0, -1))
        level = next((i for i, end in enumerate(ends) if end + 0.2 < first), len(ends))
        ends[level : level + 1] = [last]
        bars.append(Bar(first - 0.05, last + 0.05, TOP_IN + LEVEL_IN * (level + 1)))
    return tuple(bars), len(ends)


def short(name: str) -> str:
    """A name that fits beside the line."""
    return name if len(name) <= LONG_NAME else f"{name[: LONG_NAME - 1]}…"


def ranks_figure(ranks: Ranks) -> Figure:
    """The diagram, rank 1 on the left."""
    plan = diagram(ranks)
    figure = Figure(figsize=(WIDTH_IN, plan.height + 0.35))
    axes = figure.add_axes((0, 0, 1, plan.height / (plan.height + 0.35)))
    axes.set_xlim(0, WIDTH_IN)
    axes.set_ylim(plan.height, 0)
    axes.set_axis_off()
    _draw_scale(axes, plan)
    for bar in plan.bars:
        axes.plot([bar.first, bar.last], [bar.y, bar.y], color="black", linewidth=3.5)
    for label in plan.labels:
        _draw_label(axes, label)
    title = f"Average ranks over {len(ranks.corpora)} corpora, by pooled UA"
    figure.text(0.015, 1 - 0.1 / (plan.height + 0.35), title, fontsize=12, va="top")
    return figure


def _draw_scale(axes: Axes, plan: Diagram) -> None:
    first, last = LINE_IN
    axes.plot([first, last], [TOP_IN, TOP_IN], color="black", linewidth=1)
    for rank, x in plan.ticks:
        axes.plot([x, x], [TOP_IN, TOP_IN - 0.06], color="black", linewidth=1)
        axes.text(x, TOP_IN - 0.09, str(rank), ha="center", va="bottom", fontsize=9)
    axes.text(first, 0.27, plan.caption, va="bottom", fontsize=9, color=CHANCE_COLOUR)
    if plan.critical is not None:
        axes.plot([first, plan.critical], [0.38, 0.38], color=CHANCE_COLOUR, linewidth=1)
        for end in (first, plan.critical):
            axes.plot([end, end], [0.33, 0.43], color=CHANCE_COLOUR, linewidth=1)


def _draw_label(axes: Axes, label: Label) -> None:
    end = LINE_IN[0] - 0.2 if label.left else LINE_IN[1] + 0.2
    axes.plot(
        [label.x, label.x, end], [TOP_IN, label.y, label.y], color=STUDENT_COLOUR, linewidth=1
    )
    axes.text(
        end + (-0.06 if label.left else 0.06),
        label.y,
        f"{label.text}  {label.rank:.2f}",
        ha="right" if label.left else "left",
        va="center",
        fontsize=9,
        parse_math=False,
    )
