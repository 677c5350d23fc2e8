"""Shares as bars, each split into parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from serbench.results.pages.charts.svg import (
    Scale,
    Style,
    across_axis,
    block,
    drawing,
    element,
    group,
    percent_of,
    shortened,
    tick_text,
)

ROW_PX, BAR_PX = 28, 16
LONGEST = 16


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a bar."""

    text: str
    value: float
    style: Style


@dataclass(frozen=True, slots=True)
class BarGroup:
    """A bar: its parts end to end."""

    label: str
    parts: tuple[Bar, ...]


def bars(name: str, title: str, description: str, groups: Sequence[BarGroup], axis: str) -> Markup:
    """A bar for each group, from the top; at least one group."""
    ends = [sum(part.value for part in each.parts) for each in groups]
    scale = Scale(0, max(*ends, 1e-9) * 1.05)
    height = ROW_PX * len(groups) + 4
    longest = max(len(shortened(each.label, LONGEST)) for each in groups)
    rows = [_bar(each, ROW_PX * i + 2, scale) for i, each in enumerate(groups)]
    return drawing(
        name, title, description, height, across_axis(scale, height, axis), *rows,
        left_px=14 + 8 * longest,
    )  # fmt: skip


def _bar(each: BarGroup, top: float, scale: Scale) -> Markup:
    label = element(
        "text",
        shortened(each.label, LONGEST),
        x="-12",
        y=top + ROW_PX / 2 + 4,
        class_="label name",
        text_anchor="end",
    )
    parts, start = [label], 0.0
    for part in each.parts:
        left, right = scale.at(start), scale.at(start + part.value)
        start += part.value
        if right > left:
            hint = f"{each.label}, {part.text}: {tick_text(round(part.value, 1))}"
            parts.append(block(
                part.style, hint, x=percent_of(left), width=percent_of(right - left),
                y=float(top + (ROW_PX - BAR_PX) / 2), height=BAR_PX,
            ))  # fmt: skip
    return group(*parts)
