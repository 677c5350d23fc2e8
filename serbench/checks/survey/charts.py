"""Figures of a survey's page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from serbench.checks.survey.confounding import cross
from serbench.data.corpus.table import Utterance
from serbench.results.figure.figure import (
    Axis,
    Bar,
    BarGroup,
    Bars,
    Counted,
    Figure,
    Histogram,
    Key,
    Panel,
)
from serbench.results.figure.palette import Style

BINS = 24

MOST_SPEAKERS = 40
"""Greatest number of bars that are readable; the table next to them has all."""

HATCHES = ("", "6 3")
"""Classes after the eighth repeat the colours, hatched."""


def duration_chart(utterances: Sequence[Utterance]) -> Figure:
    """Histogram of durations."""
    seconds = np.array([utterance.duration_s for utterance in utterances])
    low, high = float(seconds.min()), float(seconds.max())
    edges = np.linspace(low, high if high > low else low + 0.1, BINS + 1)
    counts, edges = np.histogram(seconds, edges)
    described = (
        f"Half of the utterances last {np.quantile(seconds, 0.25):.2f} to "
        f"{np.quantile(seconds, 0.75):.2f} seconds; the shortest {low:.2f}, the longest {high:.2f}."
    )
    plot = Histogram(
        tuple(edges.tolist()),
        (Counted("utterances", Style(1), tuple(counts.tolist())),),
        Axis("Duration in seconds"),
        Axis("Utterances"),
    )
    panel = Panel(plot, description=described)
    return Figure("durations-chart", "Durations of utterances", (panel,), notes=(described,))


def speaker_chart(utterances: Sequence[Utterance]) -> Figure:
    """Numbers of utterances of each emotion by speaker."""
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
    plot = Bars(tuple(groups), Axis("Utterances"))
    panel = Panel(plot, description="The table below has the numbers.")
    legend = tuple(
        Key(label, style, "bar") for label, style in zip(table.columns, styles, strict=True)
    )
    rest = len(table.rows) - MOST_SPEAKERS
    notes = (f"{rest} more speakers are not drawn.",) if rest > 0 else ()
    return Figure("speakers-chart", caption, (panel,), legend, notes, wide=True)


def class_style(index: int) -> Style:
    """The style of class number ``index``; 16 styles differ."""
    turn, colour = divmod(index, 8)
    return Style(colour + 1, "square", HATCHES[turn % len(HATCHES)])
