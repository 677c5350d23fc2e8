"""Histograms: counts in each bin."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from markupsafe import Markup

from serbench.results.figure.figure import Counted, Histogram
from serbench.results.figure.svg.elements import (
    Inside,
    Scale,
    across_axis,
    block,
    down_axis,
    percent_of,
    scale_of,
    tick_text,
)

HEIGHT_PX = 180
LEAST_LOG = 0.7
"""Lower end of a logarithmic axis, chosen so that a count of 1 has a bar."""


def histogram(plot: Histogram) -> Inside:
    """Draw groups next to each other in every bin."""
    x_scale = scale_of(plot.across, plot.edges[0], plot.edges[-1])
    most = max(count for group in plot.groups for count in group.counts)
    y_scale = scale_of(plot.down, LEAST_LOG if plot.down.log else 0, most * 1.05)
    parts = (
        down_axis(y_scale, HEIGHT_PX, plot.down.title),
        across_axis(x_scale, HEIGHT_PX, plot.across.title, grid=False),
        *(
            bar
            for place, group in enumerate(plot.groups)
            for bar in _bars(plot, group, place / len(plot.groups), x_scale, y_scale)
        ),
    )
    return Inside(HEIGHT_PX, parts, left_px=48, top_px=28)


def _bars(
    plot: Histogram, group: Counted, shift: float, x_scale: Scale, y_scale: Scale
) -> Iterator[Markup]:
    """A group's bars, shifted by a share of the bin's width."""
    for (left, right), count in zip(pairwise(plot.edges), group.counts, strict=True):
        if count:
            y = y_scale.down(count, HEIGHT_PX)
            start, end = x_scale.at(left), x_scale.at(right)
            named = f"{group.text}, " if len(plot.groups) > 1 else ""
            hint = f"{named}{tick_text(round(left, 2))} to {tick_text(round(right, 2))}: {count}"
            yield block(
                group.style,
                hint,
                x=percent_of(start + shift * (end - start)),
                width=percent_of(0.94 * (end - start) / len(plot.groups)),
                y=float(y),
                height=float(HEIGHT_PX - y),
            )
