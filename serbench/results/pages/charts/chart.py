"""What a page shows of a chart: drawings, what their marks mean, and the same numbers to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from serbench.results.pages.charts.svg import Style, swatch
from serbench.results.report.tables import Table


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing.

    Attributes:
        svg: with its own title and description.
        heading: stands over it where a chart has several.
    """

    svg: Markup
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """A line of the legend.

    Attributes:
        kind: whether the series is drawn as a ``mark``, a ``line`` or a ``bar``.
    """

    text: str
    style: Style
    kind: Literal["mark", "line", "bar"] = "mark"

    @property
    def swatch(self) -> Markup:
        """How the series is drawn."""
        return swatch(self.style, self.kind)


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure of a page.

    Attributes:
        name: its anchor, unique on the page.
        numbers: what is drawn, as a table; None where one stands beside it.
        legend: empty where the drawing names everything itself.
        wide: whether a panel needs the whole width.
    """

    name: str
    caption: str
    panels: tuple[Panel, ...]
    numbers: Table | None
    legend: tuple[Key, ...] = ()
    notes: tuple[str, ...] = ()
    wide: bool = False
