"""Draws whole panels, with texts for screen readers."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from serbench.results.figure.figure import (
    Bars,
    Diagram,
    Dots,
    Figure,
    Forest,
    Histogram,
    Lines,
    Panel,
    Plot,
    ReliabilityBins,
    Scatter,
)
from serbench.results.figure.layout import WIDTH_IN, Words, laid_out
from serbench.results.figure.svg.elements import Inside, element
from serbench.results.figure.svg.histogram import histogram
from serbench.results.figure.svg.lines import lines
from serbench.results.figure.svg.reliability import reliability
from serbench.results.figure.svg.rows import bars, dots, forest
from serbench.results.figure.svg.scatter import scatter

PX = 100.0
"""Pixels per inch of a diagram."""

STROKES = {
    "axis": ("var(--ink)", 1),
    "bar": ("var(--ink)", 5),
    "critical": ("var(--quiet)", 1),
    "leader": ("var(--s1)", 1),
}
"""Colour and width of each kind of stroke."""


def drawings(figure: Figure) -> Iterator[tuple[str, Markup]]:
    """Heading and drawing of each panel."""
    for number, panel in enumerate(figure.panels, start=1):
        yield panel.heading, drawing(panel, f"{figure.name}-{number}", figure.caption)


def drawing(panel: Panel, name: str, caption: str) -> Markup:
    """Draw a panel with its title and description.

    Args:
        panel: what is drawn; a matrix is a table on pages.
        name: unique on the page.
        caption: caption of the figure, used if there is no heading.
    """
    words = (
        element("title", panel.heading or caption, id=f"{name}-title"),
        element("desc", panel.description, id=f"{name}-desc"),
    )
    about = {"role": "img", "aria_labelledby": f"{name}-title {name}-desc"}
    if isinstance(panel.plot, Diagram):
        return _diagram(panel.plot, words, about)
    inside = _inside(panel.plot)
    return element(
        "svg",
        *words,
        *inside.parts,
        class_="plot",
        **about,
        height=float(inside.height),
        style=f"--left:{inside.left_px}px;--top:{inside.top_px}px",
    )


def _inside(plot: Plot) -> Inside:
    match plot:
        case Forest():
            inside = forest(plot)
        case Lines():
            inside = lines(plot)
        case Bars():
            inside = bars(plot)
        case Histogram():
            inside = histogram(plot)
        case Dots():
            inside = dots(plot)
        case Scatter():
            inside = scatter(plot)
        case ReliabilityBins():
            inside = reliability(plot)
        case _:
            raise ValueError(f"a {plot.kind} is not drawn as SVG")
    return inside


def _diagram(plot: Diagram, words: tuple[Markup, ...], about: dict[str, str]) -> Markup:
    layout = laid_out(plot)
    width, height = PX * WIDTH_IN, PX * layout.height
    strokes = (
        element(
            "polyline",
            points=" ".join(f"{PX * x:.1f},{PX * y:.1f}" for x, y in each.points),
            fill="none",
            stroke=STROKES[each.kind][0],
            stroke_width=STROKES[each.kind][1],
        )
        for each in layout.strokes
    )
    return element(
        "svg",
        *words,
        *strokes,
        *map(_words, layout.words),
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        **about,
        class_="diagram",
        style=f"min-width:{0.75 * width:.0f}px;max-width:{width:.0f}px",
    )


def _words(each: Words) -> Markup:
    place = {"x": PX * each.x, "y": PX * (each.y + 0.045), "text_anchor": each.anchor}
    fill = "var(--quiet)" if each.quiet else "var(--ink)"
    return element("text", each.text, **place, fill=fill)
