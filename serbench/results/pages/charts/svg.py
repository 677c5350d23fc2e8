"""Elements, scales and marks that all charts are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

COLOURS = 8
"""Classes ``c1`` … ``c8`` of the stylesheet."""

GREY = 8
"""The colour that series get only on purpose."""

MARKS = ("circle", "diamond", "square", "up", "down", "plus", "cross")
DASHES = ("", "6 3", "2 3", "9 3 2 3", "4 2 1 2 1 2")

SHAPES = {
    "circle": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
    "diamond": "M0 -5.6L5.6 0L0 5.6L-5.6 0z",
    "square": "M-4.2 -4.2h8.4v8.4h-8.4z",
    "up": "M0 -5.2L5.2 4.2h-10.4z",
    "down": "M0 5.2L5.2 -4.2h-10.4z",
    "plus": "M-1.7 -5.2h3.4v3.5h3.5v3.4h-3.5v3.5h-3.4v-3.5h-3.5v-3.4h3.5z",
    "cross": "M-5 -2.9L-2.9 -5L0 -2.1L2.9 -5L5 -2.9L2.1 0L5 2.9L2.9 5L0 2.1L-2.9 5L-5 2.9L-2.1 0z",
}
"""Outlines of about 10 pixels around 0, 0."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a series is told from others: colour, mark and dash, each by itself enough."""

    colour: int
    mark: str
    dash: str = ""


def style_of(index: int) -> Style:
    """The style of the series that comes ``index``-th; 49 of them differ in colour or mark."""
    turn, place = divmod(index, GREY - 1)
    return Style(place + 1, MARKS[(place + turn) % len(MARKS)], DASHES[index % len(DASHES)])


def element(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element; text and attributes are escaped, ``None`` attributes left out.

    A trailing underscore of an attribute's name is dropped, others become hyphens.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(str(escape(child)) for child in children)
    close = f">{inside}</{name}>" if inside else "/>"
    return Markup(f"<{name}{written}{close}")  # noqa: S704 - every part is escaped above


def group(*children: object, **attributes: object) -> Markup:
    """A ``<g>``."""
    return element("g", *children, **attributes)


def _text(value: object) -> object:
    return number(value) if isinstance(value, float) else value


def number(value: float) -> str:
    """A coordinate, no longer than needed."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def percent_of(value: float) -> str:
    """A position across."""
    return f"{number(value)}%"


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to 0 … 100.

    Attributes:
        log: whether equal ratios are equal distances; then both ends are above 0.
    """

    low: float
    high: float
    log: bool = False

    def at(self, value: float) -> float:
        """Where a value lies; outside 0 … 100 where it is outside the scale."""
        if self.log:
            span = math.log(self.high / self.low)
            return 100 * math.log(value / self.low) / span
        return 100 * (value - self.low) / (self.high - self.low)

    def across(self, value: float) -> str:
        """The same as a coordinate, kept within the drawing."""
        return percent_of(min(max(self.at(value), 0.0), 100.0))

    def down(self, value: float, height: float) -> float:
        """The same as pixels from the top of a drawing so high."""
        return height * (1 - min(max(self.at(value), 0.0), 100.0) / 100)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values within the scale, at least two where there are any."""
        if not self.log:
            return nice_ticks(self.low, self.high, most)
        steps = [d * 10.0**p for p in range(-9, 13) for d in (1, 1.5, 2, 3, 5, 7)]
        within = [step for step in steps if self.low <= step <= self.high]
        if len(within) < 2:
            return nice_ticks(self.low, self.high, most)
        return within[:: -(-len(within) // most)]


def nice_ticks(low: float, high: float, most: int) -> list[float]:
    """Multiples of 1, 2, 2.5 or 5 times a power of ten between the two, at most so many."""
    raw = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * each for each in (1, 2, 2.5, 5, 10, 20) if power * each >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [0.0 if index == 0 else index * step for index in range(first, last + 1)]


def span(values: Sequence[float], *, margin: float = 0.06, least: float = 1e-6) -> Scale:
    """A scale that holds the values with a margin at both ends."""
    low, high = min(values), max(values)
    room = max((high - low) * margin, least)
    return Scale(low - room, high + room)


def tick_text(value: float) -> str:
    """A value on an axis, with a real minus."""
    return f"{value:,.6g}".replace("-", "−")


def mark(
    style: Style, x: str, y: float, *, hint: str = "", hollow: bool = False, colour: str = ""
) -> Markup:
    """A series' mark; ``hint`` is shown where a pointer rests on it.

    ``colour`` is a class of the stylesheet that stands in for the series' own.
    """
    kind = f"{'mark hollow' if hollow else 'mark'} {colour or f'c{style.colour}'}"
    drawn = element("title", hint) if hint else ""
    return element("use", drawn, href=f"#mark-{style.mark}", x=x, y=float(y), class_=kind)


def text(content: str, x: str, y: float, kind: str = "", anchor: str | None = None) -> Markup:
    """A label, whose baseline is at ``y``."""
    classes = f"label {kind}".strip()
    return element("text", content, x=x, y=float(y), class_=classes, text_anchor=anchor)


def shortened(content: str, most: int) -> str:
    """At most so many characters."""
    return content if len(content) <= most else f"{content[: most - 1]}…"


def rule(x1: str, y1: float, x2: str, y2: float, kind: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=float(y1), x2=x2, y2=float(y2), class_=kind)


def stretched(height: float, *children: object) -> Markup:
    """Curves, drawn in 0 … 100 by 0 … 100 and stretched; strokes keep their width."""
    return element(
        "svg",
        *children,
        viewBox="0 0 100 100",
        preserveAspectRatio="none",
        width="100%",
        height=float(height),
    )


def curve(points: Sequence[tuple[float, float]], kind: str, *, closed: bool = False) -> Markup:
    """A path through points of a ``stretched`` drawing, y downwards."""
    joined = "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return element("path", d=f"M{joined}{'z' if closed else ''}", class_=kind)


def across_axis(
    scale: Scale, height: float, title: str, *, most: int = 6, grid: bool = True
) -> Markup:
    """Ticks and a title under a drawing, and lines through it."""
    parts: list[Markup] = []
    for tick in scale.ticks(most):
        x = scale.across(tick)
        if grid:
            parts.append(rule(x, 0, x, height, "grid"))
        parts.append(text(tick_text(tick), x, height + 18, "tick", "middle"))
    parts.append(rule("0%", height, "100%", height, "axis"))
    parts.append(text(title, "50%", height + 38, "title", "middle"))
    return group(*parts, aria_hidden="true")


def down_axis(scale: Scale, height: float, title: str, *, most: int = 5) -> Markup:
    """Ticks at the left of a drawing, lines through it, and a title above."""
    parts: list[Markup] = []
    for tick in scale.ticks(most):
        y = scale.down(tick, height)
        parts.append(rule("0%", y, "100%", y, "grid"))
        parts.append(element(
            "text", tick_text(tick), x="-8", y=float(y + 4), class_="label tick", text_anchor="end"
        ))  # fmt: skip
    parts.append(element("text", title, x="-36", y="-10", class_="label title"))
    return group(*parts, aria_hidden="true")


def drawing(
    name: str,
    title: str,
    description: str,
    height: float,
    *children: object,
    left_px: int = 6,
    top_px: int = 8,
    bottom_px: int = 46,
) -> Markup:
    """A whole drawing with its title and description.

    Args:
        name: unique on the page.
        title: what a screen reader calls it.
        description: what there is to see.
        height: of its inside, in pixels.
        children: what is drawn.
        left_px: room at its left.
        top_px: room above.
        bottom_px: room below.
    """
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-desc"),
        *children,
        class_="plot",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        height=float(height),
        style=f"--left:{left_px}px;--top:{top_px}px;--bottom:{bottom_px}px",
    )


def block(style: Style, hint: str = "", **place: object) -> Markup:
    """A part of a bar; one with a dash is hatched."""
    hatched = style.dash != ""
    return element(
        "rect",
        element("title", hint) if hint else "",
        **place,
        class_=f"bar c{style.colour}{' hatched' if hatched else ''}",
        fill=f"url(#hatch-{style.colour})" if hatched else None,
    )


def swatch(style: Style, kind: str) -> Markup:
    """A series as a legend shows it: ``mark``, ``line`` or ``bar``."""
    if kind == "bar":
        parts = [block(style, x=6, y=1, width=16, height=12)]
    else:
        parts = [mark(style, "14", 7)]
    if kind == "line":
        parts.insert(0, element(
            "line", x1=1, y1=7, x2=27, y2=7,
            class_=f"curve c{style.colour}", stroke_dasharray=style.dash or None,
        ))  # fmt: skip
    return element("svg", *parts, class_="swatch", width=28, height=14, aria_hidden="true")


def _hatch(colour: int) -> Markup:
    """Slanted lines in a colour."""
    line = element("path", d="M0 6L6 0M-1 1L1 -1M5 7L7 5", class_=f"hatch c{colour}")
    return element(
        "pattern", line, id=f"hatch-{colour}", width=6, height=6, patternUnits="userSpaceOnUse"
    )


SPRITE = element(
    "svg",
    element(
        "defs",
        *(element("path", id=f"mark-{name}", d=shape) for name, shape in SHAPES.items()),
        *(_hatch(colour) for colour in range(1, COLOURS + 1)),
    ),
    class_="sprite",
    width=0,
    height=0,
    aria_hidden="true",
)
"""Marks and hatchings, once for each page that has charts."""
