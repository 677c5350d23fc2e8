"""Tables of the site: cells that link, and that sort by a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serbench.results.compare.records import Estimate
from serbench.results.report.tables import NOTHING, percent


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell.

    Attributes:
        text: what is read; escaped by the page.
        detail: more, in smaller type under it.
        link: to a page of the site, relative to the page that the table is on.
        sort: what is sorted by, where it is not the text.
        code: whether it is a digest.
        breaks: whether a long text may go over several lines.
    """

    text: str
    detail: str = ""
    link: str = ""
    sort: str | None = None
    code: bool = False
    breaks: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column; ``filter`` gives it a menu of its values."""

    title: str
    numbers: bool = False
    filter: bool = False


@dataclass(frozen=True, slots=True)
class CellTable:
    """A table of a page.

    Attributes:
        name: its anchor, unique on the page.
        rows: the first cell heads the row.
        interactive: whether it can be sorted and filtered.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    interactive: bool = False


EMPTY = Cell(NOTHING, sort="")


def number(text: str, value: float, detail: str = "") -> Cell:
    """A cell that sorts by ``value``."""
    return Cell(text, detail, sort=f"{value:.9g}")


def score(estimate: Estimate) -> Cell:
    """A score in per cent over its interval."""
    interval = f"[{percent(estimate.low)}, {percent(estimate.high)}]"
    return number(percent(estimate.value), estimate.value, interval)


def titles(*columns: str | Column) -> tuple[Column, ...]:
    """Columns of text, where they are not given as something else."""
    return tuple(Column(each) if isinstance(each, str) else each for each in columns)


def plain(rows: Sequence[Sequence[str]]) -> tuple[tuple[Cell, ...], ...]:
    """Rows of mere text."""
    return tuple(tuple(Cell(text, breaks=True) for text in row) for row in rows)
