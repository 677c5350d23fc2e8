"""The content of a figure, as data: it is drawn elsewhere, and saved with the measurements."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from serbench.results.figure.palette import Style
from serbench.results.table.formats import Tone
from serbench.results.table.table import Table


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of a plot.

    Attributes:
        title: title with the unit.
        low: lower end; None: determined by the values.
        high: upper end; None: determined by the values.
        log: whether equal ratios are equal distances; then all values are above 0.
        ticks: places and their names, if these are not numbers.
        whole: whether values are whole numbers, as epochs are; then ticks are whole numbers too.
    """

    title: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    ticks: tuple[tuple[float, str], ...] = ()
    whole: bool = False


def percent_ends(values: Iterable[float]) -> tuple[float, float]:
    """Ends of a per cent axis for these values: the multiples of 10 around them."""
    held = list(values)
    low, high = 10 * math.floor(min(held) / 10 - 0.2), 10 * math.ceil(max(held) / 10 + 0.2)
    return max(low, 0), min(high, 100)


@dataclass(frozen=True, slots=True)
class ReferenceLine:
    """A value at which a line is drawn, such as chance or no difference."""

    value: float
    text: str


@dataclass(frozen=True, slots=True)
class ForestRow:
    """A value with its interval, in the axis's unit.

    Attributes:
        label: text at its left.
        value: None if there is no value; then ``said`` is shown instead.
        low: lower end of its interval.
        high: upper end of its interval.
        style: style of its mark.
        said: the value in words.
        tone: an ``unclear`` one has a hollow mark.
        group: a heading over the rows that share it.
    """

    label: str
    value: float | None
    low: float
    high: float
    style: Style
    said: str = ""
    tone: Tone = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Forest:
    """Values with their intervals, one under the other; at least one."""

    rows: tuple[ForestRow, ...]
    axis: Axis
    reference: ReferenceLine | None = None
    kind: Literal["forest"] = "forest"


@dataclass(frozen=True, slots=True)
class Line:
    """A series of points ``(x, middle)`` with intervals from ``low`` to ``high``, if any.

    Attributes:
        text: its name.
        style: colour, mark and dash.
        x: horizontal positions.
        middle: values.
        low: lower ends of the intervals, as many as values, or none.
        high: upper ends, likewise.
        bars: whether intervals are bars at the points, not a band along the line.
        joined: whether the points are joined.
        marked: whether the points are marked.
    """

    text: str
    style: Style
    x: tuple[float, ...]
    middle: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    bars: bool = False
    joined: bool = True
    marked: bool = True


@dataclass(frozen=True, slots=True)
class Lines:
    """Series over a common axis: at least one, of at least one point."""

    lines: tuple[Line, ...]
    across: Axis
    down: Axis
    references: tuple[ReferenceLine, ...] = ()
    kind: Literal["lines"] = "lines"

    @property
    def described(self) -> str:
        """The first and last value of each series, in words for readers who do not see the
        figure.
        """
        parts = (f"{each.text} from {each.middle[0]:.3g} to {each.middle[-1]:.3g}"
                 for each in self.lines)  # fmt: skip
        return f"{'; '.join(parts)}."


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a bar."""

    text: str
    value: float
    style: Style


@dataclass(frozen=True, slots=True)
class BarGroup:
    """A bar of one or more parts; ``said`` is shown at its end."""

    label: str
    parts: tuple[Bar, ...]
    said: str = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars from top to bottom; at least one."""

    groups: tuple[BarGroup, ...]
    axis: Axis
    kind: Literal["bars"] = "bars"


@dataclass(frozen=True, slots=True)
class Counted:
    """Counts of one group in each bin."""

    text: str
    style: Style
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts over B bins with B + 1 edges, groups next to each other; at least one is above 0."""

    edges: tuple[float, ...]
    groups: tuple[Counted, ...]
    across: Axis
    down: Axis
    kind: Literal["histogram"] = "histogram"


@dataclass(frozen=True, slots=True)
class DotRow:
    """A row of dots; a value of None has no mark."""

    label: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Dots:
    """Rows with a mark for each series, to show where series agree and where they do not.

    Attributes:
        rows: rows from top to bottom.
        series: names and styles, in the order of the rows' values.
        axis: axis with given ends.
    """

    rows: tuple[DotRow, ...]
    series: tuple[tuple[str, Style], ...]
    axis: Axis
    kind: Literal["dots"] = "dots"


@dataclass(frozen=True, slots=True)
class Point:
    """A point with cost ``x`` (less is better) and score ``y`` (more is better), with its interval.

    Attributes:
        label: the short name that is next to it on a page, such as its number in the legend.
        name: the whole name.
    """

    label: str
    name: str
    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Scatter:
    """Points over a logarithmic cost, the Pareto front joined by steps; at least one point."""

    points: tuple[Point, ...]
    across: Axis
    down: Axis
    kind: Literal["scatter"] = "scatter"


def pareto_front(points: Sequence[Point]) -> tuple[Point, ...]:
    """Points that no other point beats; a point beats another if it is at least as good in both
    and better in one.
    """
    front: list[Point] = []
    for point in sorted(points, key=lambda each: (each.x, -each.y)):
        if not front or point.y > front[-1].y:
            front.append(point)
    return tuple(front)


@dataclass(frozen=True, slots=True)
class ReliabilityBins:
    """Accuracy of a method by its confidence, and the number of predictions at each confidence.

    Attributes:
        style: style of the curve.
        edges: edges of the B bins, B + 1 values in 0 … 1.
        confidence: mean confidence in each bin; not used if the bin is empty.
        accuracy: share of right predictions in each bin; not used if the bin is empty.
        count: number of utterances in each bin, counted once for each seed.
    """

    style: Style
    edges: tuple[float, ...]
    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    count: tuple[int, ...]
    kind: Literal["reliability"] = "reliability"


@dataclass(frozen=True, slots=True)
class Matrix:
    """Counts ``(C, C)``, a row for each true class; shaded by the share of the row."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    kind: Literal["matrix"] = "matrix"


@dataclass(frozen=True, slots=True)
class Diagram:
    """A critical-difference diagram: names on a line of average ranks, the best on the left.

    Attributes:
        names: names from the best to the worst.
        ranks: average rank of each.
        groups: first and last place, in ``names``, of each group of methods that do not differ
            significantly.
        critical: critical difference of ranks.
    """

    names: tuple[str, ...]
    ranks: tuple[float, ...]
    groups: tuple[tuple[int, int], ...]
    critical: float
    kind: Literal["diagram"] = "diagram"


Plot = Annotated[
    Forest | Lines | Bars | Histogram | Dots | Scatter | ReliabilityBins | Matrix | Diagram,
    Field(discriminator="kind"),
]


@dataclass(frozen=True, slots=True)
class Key:
    """A line of the legend: whether its series is drawn as a mark, a line or a bar."""

    text: str
    style: Style
    kind: Literal["mark", "line", "bar"] = "mark"


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing of a figure.

    Attributes:
        plot: what is drawn.
        heading: shown above it if a figure has several.
        description: what it shows, for readers who do not see it.
    """

    plot: Plot
    heading: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure.

    Attributes:
        name: stem of its file, and its anchor, unique on a page.
        caption: text below it.
        panels: its drawings, at least one.
        legend: empty if the drawing itself names everything.
        notes: text under it on a page.
        alarm: text above it in a file: that its numbers are wrong on purpose.
        warnings: text below it in a file: what makes its numbers doubtful.
        numbers: what is drawn, as a table; None if there is one next to it.
        wide: whether a panel needs the whole width.
    """

    name: str
    caption: str
    panels: tuple[Panel, ...]
    legend: tuple[Key, ...] = ()
    notes: tuple[str, ...] = ()
    alarm: str = ""
    warnings: tuple[str, ...] = ()
    numbers: Table | None = None
    wide: bool = False
