"""Styles of series: one palette, and one mark for each method of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from serbench.running.store.run import TEACHER_PREFIX

Mark = Literal["circle", "diamond", "square", "up", "down", "plus", "cross"]

MARKS: tuple[Mark, ...] = ("circle", "diamond", "square", "up", "down", "plus", "cross")
DASHES = ("", "6 3", "2 3", "9 3 2 3", "4 2 1 2 1 2")
"""Lengths of dashes and gaps."""

COLOURS = (
    "#0a64a8", "#c14a09", "#007f5f", "#a24487", "#8a6500", "#3d8fb8", "#6a4fb3", "#4a5058",
)  # fmt: skip
"""Colours on a light background, after Okabe and Ito, for colour-blind readers; marks differ
too.
"""

DARK_COLOURS = (
    "#66b2f0", "#f08a52", "#45c49a", "#e08cc4", "#dcb24a", "#9bd3f2", "#b3a0f0", "#c2c8cf",
)  # fmt: skip
"""The same colours on a dark background."""

GREY = len(COLOURS)
"""The colour of teachers and of other series that are shown for orientation."""


@dataclass(frozen=True, slots=True)
class Style:
    """The style of a series: colour, mark and dash, each of which distinguishes it from others.

    Attributes:
        colour: number of a colour of the palette, from 1.
        mark: mark at its points.
        dash: dash of its line.
    """

    colour: int
    mark: Mark = "circle"
    dash: str = ""


NEUTRAL = Style(GREY, "square")
"""The style of a reference."""


def style_of(index: int) -> Style:
    """The style of the series with number ``index``; 49 of them differ in colour or mark."""
    turn, place = divmod(index, GREY - 1)
    return Style(place + 1, MARKS[(place + turn) % len(MARKS)], DASHES[index % len(DASHES)])


def styles_of(methods: Sequence[str]) -> dict[str, Style]:
    """The style of each method of a run, the same in all its figures; teachers are grey.

    Args:
        methods: all methods of the run, in its order.
    """
    students = [each for each in methods if not each.startswith(TEACHER_PREFIX)]
    teachers = [each for each in methods if each.startswith(TEACHER_PREFIX)]
    styles = {method: style_of(index) for index, method in enumerate(students)}
    for index, teacher in enumerate(teachers, start=1):
        styles[teacher] = Style(GREY, MARKS[-index % len(MARKS)], DASHES[index % len(DASHES)])
    return styles
