"""What a figure shows, as data: drawn elsewhere, and saved with what was measured."""

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
    """What runs along a side.

    Attributes:
        title: with its unit.
        low: where it begins; None: with the values.
        high: where it ends.
        log: whether equal ratios are equal distances; then all values are above 0.
        ticks: places and their names, where they are not numbers.
        whole: whether values are whole numbers, as epochs are; then so are ticks.
    """

    title: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    ticks: tuple[tuple[float, str], ...] = ()
    whole: bool = False


def percent_ends(values: Iterable[float]) -> tuple[float, float]:
    """Where an axis of per cent begins and ends that fits values: multiples of 10 around them."""
    held = list(values)
    low, high = 10 * math.floor(min(held) / 10 - 0.2), 10 * math.ceil(max(held) / 10 + 0.2)
    return max(low, 0), min(high, 100)


@dataclass(frozen=True, slots=True)
class ReferenceLine:
    """A value that a line is drawn at, such as chance or no difference."""

    value: float
    text: str


@dataclass(frozen=True, slots=True)
class ForestRow:
    """A value with its interval, in the axis's unit.

    Attributes:
        label: at its left.
        value: None where there is none; then ``said`` stands in its place.
        low: where its interval begins.
        high: where it ends.
        style: of its mark.
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
        x: places across.
        middle: values.
        low: as many, or none.
        high: likewise.
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
        """From where to where each series goes, for those who do not see it."""
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
    """A bar: its parts end to end; ``said`` stands behind it."""

    label: str
    parts: tuple[Bar, ...]
    said: str = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars from the top; at least one."""

    groups: tuple[BarGroup, ...]
    axis: Axis
    kind: Literal["bars"] = "bars"


@dataclass(frozen=True, slots=True)
class Counted:
    """How many of something are in each bin."""

    text: str
    style: Style
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts over B bins with B + 1 edges, groups beside each other; at least one is above 0."""

    edges: tuple[float, ...]
    groups: tuple[Counted, ...]
    across: Axis
    down: Axis
    kind: Literal["histogram"] = "histogram"


@dataclass(frozen=True, slots=True)
class DotRow:
    """A row; a value of None has no mark."""

    label: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Dots:
    """One row for each thing, in it a mark for each series: where they agree and where not.

    Attributes:
        rows: from the top.
        series: names and styles, in the order of the rows' values.
        axis: its ends are given.
    """

    rows: tuple[DotRow, ...]
    series: tuple[tuple[str, Style], ...]
    axis: Axis
    kind: Literal["dots"] = "dots"


@dataclass(frozen=True, slots=True)
class Point:
    """What costs ``x`` (less is better) and scores ``y`` (more is better), with its interval.

    Attributes:
        label: the short name that stands beside it on a page, such as its number in the legend.
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
    """Those that no other beats: none is at least as good in both and better in one."""
    front: list[Point] = []
    for point in sorted(points, key=lambda each: (each.x, -each.y)):
        if not front or point.y > front[-1].y:
            front.append(point)
    return tuple(front)


@dataclass(frozen=True, slots=True)
class ReliabilityBins:
    """How often a method is right, by how sure it is; and how often it is how sure.

    Attributes:
        style: of the curve.
        edges: of the B bins, B + 1 of them in 0 … 1.
        confidence: mean in each bin; not read where the bin is empty.
        accuracy: likewise.
        count: utterances in each bin, counted once for each seed.
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
        names: from the best.
        ranks: average rank of each.
        groups: first and last place, in ``names``, of those that do not differ significantly.
        critical: difference of ranks.
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
    """One drawing.

    Attributes:
        plot: what is drawn.
        heading: stands over it where a figure has several.
        description: what there is to see, for those who do not.
    """

    plot: Plot
    heading: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure.

    Attributes:
        name: stem of its file, and its anchor, unique on a page.
        caption: below it.
        panels: at least one.
        legend: empty where the drawing names everything itself.
        notes: under it on a page.
        alarm: over it in a file: that its numbers are wrong on purpose.
        warnings: below it in a file: what makes its numbers doubtful.
        numbers: what is drawn, as a table; None where one stands beside it.
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
