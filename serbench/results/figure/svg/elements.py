"""Elements, scales and marks of which all drawings are made.

Horizontal positions are in per cent of the width and vertical ones in pixels, so that a drawing
fills the width of its place while its letters keep their size. Colours and strokes come from the
page's stylesheet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from serbench.results.figure.figure import Axis, Key
from serbench.results.figure.palette import GREY, Mark, Style

SHAPES: dict[Mark, str] = {
    "circle": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
    "diamond": "M0-5.6L5.6 0L0 5.6L-5.6 0z",
    "square": "M-4.2-4.2h8.4v8.4h-8.4z",
    "up": "M0-5.2L5.2 4.2h-10.4z",
    "down": "M0 5.2L5.2-4.2h-10.4z",
    "plus": "M-1.7-5.2h3.4v3.5h3.5v3.4h-3.5v3.5h-3.4v-3.5h-3.5v-3.4h3.5z",
    "cross": "M-5-2.9L-2.9-5L0-2.1L2.9-5L5-2.9L2.1 0L5 2.9L2.9 5L0 2.1L-2.9 5L-5 2.9L-2.1 0z",
}
"""Outlines of about 10 pixels around 0, 0."""


def element(name: str, /, *children: object, **attributes: object) -> Markup:
    """Make an element; text and attributes are escaped, and ``None`` attributes are left out.

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
    """A coordinate with no more digits than needed."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def percent_of(value: float) -> str:
    """A horizontal position in per cent."""
    return f"{number(value)}%"


Ends = tuple[float, float]
"""The ends of a scale."""


@dataclass(frozen=True, slots=True)
class Inside:
    """The content of a plot, in a place of ``height`` pixels, with room around it for labels."""

    height: float
    parts: tuple[Markup, ...]
    left_px: int = 6
    top_px: int = 8


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale that maps values to 0 … 100.

    Attributes:
        log: whether equal ratios are equal distances; then both ends are above 0.
        named: places with names, if these are not numbers.
        whole: whether ticks are whole numbers.
    """

    low: float
    high: float
    log: bool = False
    named: tuple[tuple[float, str], ...] = ()
    whole: bool = False

    def at(self, value: float) -> float:
        """The position of a value; outside 0 … 100 if it is outside the scale."""
        if self.log:
            return 100 * math.log(value / self.low) / math.log(self.high / self.low)
        return 100 * (value - self.low) / (self.high - self.low)

    def within(self, value: float) -> float:
        """The position of a value, moved into the drawing if it is outside."""
        return min(max(self.at(value), 0.0), 100.0)

    def across(self, value: float) -> str:
        """The position of a value as a horizontal coordinate."""
        return percent_of(self.within(value))

    def down(self, value: float, height: float) -> float:
        """The position of a value in pixels from the top of a drawing of this height."""
        return height * (1 - self.within(value) / 100)

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Round values within the scale, at least two if possible; or the places with names."""
        values = nice_ticks(self.low, self.high, most, least=1.0 if self.whole else 0.0)
        if self.log:
            steps = [d * 10.0**p for p in range(-9, 13) for d in (1, 1.5, 2, 3, 5, 7)]
            within = [step for step in steps if self.low <= step <= self.high]
            values = within[:: -(-len(within) // most)] if len(within) > 1 else values
        return [*self.named] or [(value, tick_text(value)) for value in values]


def scale_of(axis: Axis, low: float, high: float) -> Scale:
    """The scale of an axis, between the axis's own ends if it has them."""
    low, high = (end if own is None else own for own, end in ((axis.low, low), (axis.high, high)))
    return Scale(low, high if high > low else low + 1, axis.log, axis.ticks, axis.whole)


def nice_ticks(low: float, high: float, most: int, least: float = 0.0) -> list[float]:
    """At most ``most`` multiples of 1, 2, 2.5 or 5 times a power of ten between the two ends.

    With a ``least`` step of 1, all are whole numbers.
    """
    raw = max((high - low) / max(most - 1, 1), least)
    power = 10.0 ** math.floor(math.log10(raw))
    steps = [power * each for each in (1, 2, 2.5, 5, 10, 20)]
    whole = [step for step in steps if not least or step % least == 0]
    step = next(each for each in whole if each >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [0.0 if index == 0 else index * step for index in range(first, last + 1)]


def span(values: Sequence[float], *, margin: float = 0.06, least: float = 0.5) -> Ends:
    """Ends of a scale that contains the values with a margin on both sides."""
    low, high = min(values), max(values)
    room = max((high - low) * margin, least)
    return low - room, high + room


def tick_text(value: float) -> str:
    """A value on an axis, with a real minus sign."""
    return f"{value:,.6g}".replace("-", "−")


def mark(style: Style, x: str, y: float, *, hint: str = "", hollow: bool = False) -> Markup:
    """A series' mark; ``hint`` is shown when a pointer is over it."""
    kind = f"{'mark hollow' if hollow else 'mark'} c{style.colour}"
    drawn = element("title", hint) if hint else ""
    return element("use", drawn, href=f"#mark-{style.mark}", x=x, y=float(y), class_=kind)


def text(content: str, x: str, y: float, kind: str = "", anchor: str | None = None) -> Markup:
    """A label with its baseline at ``y``."""
    classes = f"label {kind}".strip()
    return element("text", content, x=x, y=float(y), class_=classes, text_anchor=anchor)


def shortened(content: str, most: int) -> str:
    """A text, shortened to at most ``most`` characters."""
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


def curve(
    points: Sequence[tuple[float, float]], kind: str, *, closed: bool = False, dash: str = ""
) -> Markup:
    """A path through points of a ``stretched`` drawing; y increases downwards."""
    joined = "L".join(f"{number(x)} {number(y)}" for x, y in points)
    path = f"M{joined}{'z' if closed else ''}"
    return element("path", d=path, class_=kind, stroke_dasharray=dash or None)


def across_axis(
    scale: Scale, height: float, title: str, *, most: int = 6, grid: bool = True
) -> Markup:
    """Ticks and a title under a drawing, and grid lines through it."""
    parts: list[Markup] = []
    for tick, named in scale.ticks(most):
        x = scale.across(tick)
        if grid:
            parts.append(rule(x, 0, x, height, "grid"))
        parts.append(text(named, x, height + 18, "tick", "middle"))
    parts.append(rule("0%", height, "100%", height, "axis"))
    parts.append(text(title, "50%", height + 38, "title", "middle"))
    return group(*parts, aria_hidden="true")


def down_axis(scale: Scale, height: float, title: str, *, most: int = 5) -> Markup:
    """Ticks at the left of a drawing, grid lines through it, and a title above it."""
    parts: list[Markup] = []
    for tick, named in scale.ticks(most):
        y = scale.down(tick, height)
        parts.append(rule("0%", y, "100%", y, "grid"))
        parts.append(text(named, "-8", y + 4, "tick", "end"))
    parts.append(text(title, "-36", -10, "title"))
    return group(*parts, aria_hidden="true")


def block(style: Style, hint: str = "", **place: object) -> Markup:
    """A part of a bar; it is hatched if its style has a dash."""
    hatched = style.dash != ""
    return element(
        "rect",
        element("title", hint) if hint else "",
        **place,
        class_=f"bar c{style.colour}{' hatched' if hatched else ''}",
        fill=f"url(#hatch-{style.colour})" if hatched else None,
    )


def swatch(key: Key) -> Markup:
    """The sample of a series in a legend."""
    style = key.style
    if key.kind == "bar":
        parts = [block(style, x=6, y=1, width=16, height=12)]
    else:
        parts = [mark(style, "14", 7)]
    if key.kind == "line":
        parts.insert(0, element(
            "line", x1=1, y1=7, x2=27, y2=7,
            class_=f"curve c{style.colour}", stroke_dasharray=style.dash or None,
        ))  # fmt: skip
    return element("svg", *parts, class_="swatch", width=28, height=14, aria_hidden="true")


def _hatch(colour: int) -> Markup:
    """Slanted lines in a colour."""
    line = element("path", d="M0 6L6 0M-1 1L1-1M5 7L7 5", class_=f"hatch c{colour}")
    return element(
        "pattern", line, id=f"hatch-{colour}", width=6, height=6, patternUnits="userSpaceOnUse"
    )


SPRITE = element(
    "svg",
    element(
        "defs",
        *(element("path", id=f"mark-{name}", d=shape) for name, shape in SHAPES.items()),
        *(_hatch(colour) for colour in range(1, GREY + 1)),
    ),
    class_="sprite",
    width=0,
    height=0,
    aria_hidden="true",
)
"""Marks and hatchings, included once in each page that has charts."""
