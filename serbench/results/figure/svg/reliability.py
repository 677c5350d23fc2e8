"""Reliability curves: accuracy of a method by its confidence, and how frequent each is."""

from __future__ import annotations

from markupsafe import Markup

from serbench.results.figure.figure import ReliabilityBins
from serbench.results.figure.svg.elements import (
    Inside,
    Scale,
    across_axis,
    curve,
    down_axis,
    element,
    group,
    mark,
    percent_of,
    stretched,
    text,
)

CURVE_PX, GAP_PX, COUNTS_PX = 200, 30, 46
UNIT = Scale(0, 1)

FEW = 10
"""The mark of a bin with fewer predictions is hollow."""


def reliability(plot: ReliabilityBins) -> Inside:
    """Draw the curve over a histogram of confidences."""
    style, count = plot.style, plot.count
    held = [(c, a, n) for c, a, n in zip(plot.confidence, plot.accuracy, count, strict=True) if n]
    height = CURVE_PX + GAP_PX + COUNTS_PX
    points = [(100 * c, 100 - 100 * a) for c, a, _ in held]
    marks = [
        mark(
            style,
            percent_of(100 * c),
            UNIT.down(a, CURVE_PX),
            hint=f"confidence {c:.2f}, accuracy {a:.2f}, {n} predictions",
            hollow=n < FEW,
        )
        for c, a, n in held
    ]
    parts = (
        down_axis(UNIT, CURVE_PX, "Accuracy"),
        across_axis(UNIT, height, "Confidence: posterior of the predicted class"),
        stretched(
            CURVE_PX,
            curve([(0, 100), (100, 0)], "reference"),
            curve(points, f"curve c{style.colour}"),
        ),
        *marks,
        _histogram(plot),
    )
    return Inside(height, parts, left_px=44, top_px=26)


def _histogram(plot: ReliabilityBins) -> Markup:
    edges, count, colour = plot.edges, plot.count, plot.style.colour
    most = max(*count, 1)
    top = CURVE_PX + GAP_PX
    parts = [
        element("text", "Count", x="-36", y=float(top - 8), class_="label title"),
        element(
            "text", f"{most:,}", x="-8", y=float(top + 5), class_="label tick", text_anchor="end"
        ),
    ]
    for low, high, held in zip(edges[:-1], edges[1:], count, strict=True):
        if held:
            tall = max(COUNTS_PX * held / most, 1.0)
            parts.append(element(
                "rect",
                element("title", f"{low:.2f} to {high:.2f}: {held} predictions"),
                x=percent_of(100 * low + 0.3), width=percent_of(100 * (high - low) - 0.6),
                y=float(top + COUNTS_PX - tall), height=float(tall), class_=f"bar c{colour}",
            ))  # fmt: skip
    if not any(count):
        parts.append(text("no predictions", "50%", top + 20, "tick", "middle"))
    return group(*parts)
