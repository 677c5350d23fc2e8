"""A table as it is read: cells of text, and the rows of its CSV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from serbench.results.table.formats import Tone

Number = str | int | float | bool | None
"""What a field of a CSV holds."""

Record = dict[str, Number]
"""A row of a CSV, by column; a column that a row lacks is empty there."""

ConsolePlace = Literal["column", "below", "whole", "none"]
"""Where a column stands on the console: by itself, under the one before it (its text alone, or with
its detail), or nowhere."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell.

    Attributes:
        text: what is read.
        detail: more, behind it in files and in smaller print on pages.
        tone: its colour.
        link: relative to the page that the table is on.
        code: whether it is set as code.
        trace: what a page's script looks up behind the number.
        shade: how dark it is on pages, 0 … 1; None: not at all.
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
        title: over the column.
        right: whether the column is set to the right, as numbers are.
        help: what the title means, in a sentence.
        console: where the column stands on the console.
        short: the title on the console, where another fits better.
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
    """Rows that belong together, with a heading over them where they need one."""

    rows: tuple[tuple[Cell, ...], ...]
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table to read and to compute with.

    Attributes:
        name: stem of its files, and its anchor on a page.
        records: the same content as plain numbers, scores in 0 … 1, for the CSV.
        notes: what a reader must know to read it right.
        warnings: what makes its numbers doubtful, one line each.
        certificates: digests, or other words that say what the numbers can be traced to.
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
        """The titles."""
        return tuple(head.title for head in self.heads)

    @property
    def rows(self) -> tuple[tuple[Cell, ...], ...]:
        """Of all sections."""
        return tuple(row for section in self.sections for row in section.rows)

    def reordered(self, first: tuple[str, ...]) -> Table:
        """The same with the columns of these titles before all others."""
        return self.only((*first, *(name for name in self.columns if name not in first)))

    def only(self, titles: Sequence[str]) -> Table:
        """The same with the columns of these titles, in their order; the records keep all.

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
    """Tables for one page that has warnings and certificates elsewhere: they go without these,
    and without notes that an earlier table has.
    """
    told: set[str] = set()
    shown = []
    for table in tables:
        notes = tuple(note for note in table.notes if note not in told)
        told.update(notes)
        shown.append(replace(table, notes=notes, warnings=(), certificates=()))
    return shown
