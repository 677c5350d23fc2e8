"""The content of a table: cells of text, and the rows of its CSV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from serbench.results.table.formats import Tone

Number = str | int | float | bool | None
"""The type of a field of a CSV."""

Record = dict[str, Number]
"""A row of a CSV, by column; a missing column is an empty field."""

ConsolePlace = Literal["column", "below", "whole", "none"]
"""Place of a column on the console: by itself, under the one before it (only its text, or with its
detail), or not shown.
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell.

    Attributes:
        text: the text.
        detail: an addition, shown after the text in files and in smaller print on pages.
        tone: its colour.
        link: link, relative to the page that the table is on.
        code: whether it is set as code.
        trace: what a page's script looks up for the number.
        shade: how dark it is on pages, 0 … 1; None: not shaded.
    """

    text: str
    detail: str = ""
    tone: Tone = ""
    link: str = ""
    code: bool = False
    trace: str = ""
    shade: float | None = None

    @property
    def whole(self) -> str:
        """Text and detail in one line."""
        return f"{self.text} {self.detail}".rstrip()


@dataclass(frozen=True, slots=True)
class ColumnHead:
    """A column's head.

    Attributes:
        title: text above the column.
        right: whether the column is aligned to the right, as numbers are.
        help: meaning of the title, in a sentence.
        console: place of the column on the console.
        short: the title on the console, if a shorter one fits better.
        filter: whether a page offers a menu of the column's values.
    """

    title: str
    right: bool = False
    help: str = ""
    console: ConsolePlace = "column"
    short: str = ""
    filter: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that belong together, with a heading above them if they need one."""

    rows: tuple[tuple[Cell, ...], ...]
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table to read and to compute with.

    Attributes:
        name: stem of its files, and its anchor on a page.
        records: the same content as plain numbers, scores in 0 … 1, for the CSV.
        notes: what a reader must know to read it correctly.
        warnings: what makes its numbers doubtful, one line each.
        certificates: digests, or other words that say where the numbers come from.
    """

    name: str
    caption: str
    heads: tuple[ColumnHead, ...]
    sections: tuple[Section, ...]
    records: tuple[Record, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The titles of the columns."""
        return tuple(head.title for head in self.heads)

    @property
    def rows(self) -> tuple[tuple[Cell, ...], ...]:
        """The rows of all sections."""
        return tuple(row for section in self.sections for row in section.rows)

    def reordered(self, first: tuple[str, ...]) -> Table:
        """The same table with the columns of these titles before all others."""
        return self.only((*first, *(name for name in self.columns if name not in first)))

    def only(self, titles: Sequence[str]) -> Table:
        """The same table with only the columns of these titles, in this order; records keep all.

        Raises:
            ValueError: there is no such column.
        """
        order = [self.columns.index(title) for title in titles]
        return replace(
            self,
            heads=tuple(self.heads[place] for place in order),
            sections=tuple(
                replace(part, rows=tuple(tuple(row[p] for p in order) for row in part.rows))
                for part in self.sections
            ),
        )


def told_once(tables: Iterable[Table]) -> list[Table]:
    """Tables for one page that has warnings and certificates elsewhere: they do not repeat these,
    nor notes that an earlier table has.
    """
    told: set[str] = set()
    shown = []
    for table in tables:
        notes = tuple(note for note in table.notes if note not in told)
        told.update(notes)
        shown.append(replace(table, notes=notes, warnings=(), certificates=()))
    return shown
