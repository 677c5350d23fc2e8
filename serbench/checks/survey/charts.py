"""Drawings of a survey's page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from serbench.checks.survey.confounding import cross
from serbench.data.corpus.table import Utterance
from serbench.results.pages.charts.bars import Bar, BarGroup, bars
from serbench.results.pages.charts.chart import Chart, Key, Panel
from serbench.results.pages.charts.svg import (
    Scale,
    Style,
    across_axis,
    block,
    down_axis,
    drawing,
    percent_of,
    tick_text,
)

HEIGHT_PX = 180
BINS = 24

MOST_SPEAKERS = 40
"""Bars that still can be read; the table beside them has all."""

HATCHES = ("", "6 3")
"""Classes beyond eight have the colours of the first, hatched."""


def duration_chart(utterances: Sequence[Utterance]) -> Chart:
    """How many utterances are how long."""
    seconds = np.array([utterance.duration_s for utterance in utterances])
    low, high = float(seconds.min()), float(seconds.max())
    edges = np.linspace(low, high if high > low else low + 0.1, BINS + 1)
    counts, edges = np.histogram(seconds, edges)
    described = (
        f"Half of the utterances last {np.quantile(seconds, 0.25):.2f} to "
        f"{np.quantile(seconds, 0.75):.2f} seconds; the shortest {low:.2f}, the longest {high:.2f}."
    )
    svg = histogram(
        "durations-plot", "Durations of utterances", described, edges.tolist(), counts.tolist(),
        "Duration in seconds", "Utterances",
    )  # fmt: skip
    return Chart("durations-chart", "Durations of utterances", (Panel(svg),), None,
                 notes=(described,))  # fmt: skip


def histogram(
    name: str,
    title: str,
    description: str,
    edges: Sequence[float],
    counts: Sequence[int],
    across: str,
    down: str,
) -> Markup:
    """Bars over B bins with B + 1 edges; at least one count is above 0."""
    x_scale, y_scale = Scale(edges[0], edges[-1]), Scale(0, max(counts) * 1.05)
    blocks = []
    for left, right, count in zip(edges, edges[1:], counts, strict=False):
        if not count:
            continue
        y = y_scale.down(count, HEIGHT_PX)
        start, end = x_scale.at(left), x_scale.at(right)
        hint = f"{tick_text(round(left, 2))} to {tick_text(round(right, 2))}: {count}"
        blocks.append(block(
            Style(1, "square"), hint, x=percent_of(start), width=percent_of(0.94 * (end - start)),
            y=float(y), height=float(HEIGHT_PX - y),
        ))  # fmt: skip
    return drawing(
        name, title, description, HEIGHT_PX,
        down_axis(y_scale, HEIGHT_PX, down), across_axis(x_scale, HEIGHT_PX, across, grid=False),
        *blocks, left_px=48, top_px=28,
    )  # fmt: skip


def speaker_chart(utterances: Sequence[Utterance]) -> Chart:
    """Which emotions each speaker has."""
    table = cross([u.speaker for u in utterances], [u.label for u in utterances])
    styles = [class_style(index) for index in range(len(table.columns))]
    groups = [
        BarGroup(
            speaker,
            tuple(
                Bar(label, float(count), style)
                for label, count, style in zip(table.columns, row.tolist(), styles, strict=True)
            ),
        )
        for speaker, row in zip(table.rows[:MOST_SPEAKERS], table.counts, strict=False)
    ]
    caption = "Utterances of each speaker by class"
    svg = bars("speakers-plot", caption, "The table below has the numbers.", groups, "Utterances")
    legend = tuple(
        Key(label, style, "bar") for label, style in zip(table.columns, styles, strict=True)
    )
    rest = len(table.rows) - MOST_SPEAKERS
    notes = (f"{rest} more speakers are not drawn.",) if rest > 0 else ()
    return Chart("speakers-chart", caption, (Panel(svg),), None, legend, notes, wide=True)


def class_style(index: int) -> Style:
    """The style of the class that comes ``index``-th; 16 of them differ."""
    turn, colour = divmod(index, 8)
    return Style(colour + 1, "square", HATCHES[turn % len(HATCHES)])
