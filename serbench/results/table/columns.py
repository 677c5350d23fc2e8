"""Tables from rows of any type, and from columns that say what to read from a row."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from serbench.results.table.formats import NOTHING, TEXT, Format, Interval
from serbench.results.table.table import (
    Cell,
    ColumnHead,
    ConsolePlace,
    Number,
    Record,
    Section,
    Table,
)

R = TypeVar("R")
V = TypeVar("V")

EMPTY = Cell(NOTHING)


class Column(Generic[R]):
    """A column of a table: its values and their format.

    Args:
        title: title of the column; a column without a title is in the CSV only.
        value: reads the value of a row; None if it has none.
        format: format of the values.
        key: name in the CSV; a column without a key is not in the CSV.
        help: one sentence that explains the title.
        console: place of the column on the console.
        short: a shorter title for the console.
        link: returns the link of a row's cell; empty if it has none.
        trace: returns what a page's script looks up for the number in a row's cell.
        filter: whether a page offers a menu of the column's values.
    """

    def __init__(
        self,
        title: str,
        value: Callable[[R], V | None],
        format: Format[V] = TEXT,  # noqa: A002 - the field's word
        *,
        key: str = "",
        help: str = "",  # noqa: A002 - likewise
        console: ConsolePlace = "column",
        short: str = "",
        link: Callable[[R], str] | None = None,
        trace: Callable[[R], str] | None = None,
        filter: bool = False,  # noqa: A002 - likewise
    ) -> None:
        self.head = ColumnHead(title, format.right, help, console, short, filter)
        self.key = key
        self._value: Callable[[R], Any] = value
        self._format: Format[Any] = format
        self._link = link
        self._trace = trace

    def cell(self, row: R) -> Cell:
        """The cell of a row."""
        value = self._value(row)
        if value is None:
            return EMPTY
        shown = self._format
        return Cell(
            shown.text(value),
            shown.detail(value),
            shown.tone(value),
            self._link(row) if self._link else "",
            shown.code,
            self._trace(row) if self._trace else "",
            shown.shade(value),
        )

    @property
    def fields(self) -> tuple[str, ...]:
        """Its columns of the CSV: the value's, and those of its interval or range."""
        return tuple(f"{self.key}{end}" for end in self._format.suffixes)

    def numbers(self, row: R) -> Record:
        """A row's fields of the CSV."""
        value, fields = self._value(row), self.fields
        held = (None,) * len(fields) if value is None else self._format.numbers(value)
        return {name: plain(each) for name, each in zip(fields, held, strict=True)}


def plain(value: object) -> Number:
    """A number of numpy as one of Python; any other value as text."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def section(columns: Sequence[Column[R]], rows: Iterable[R], heading: str = "") -> Section:
    """A section with rows of a table; columns without a title are left out."""
    shown = [column for column in columns if column.head.title]
    return Section(tuple(tuple(each.cell(row) for each in shown) for row in rows), heading)


def records_of(columns: Sequence[Column[R]], rows: Iterable[R]) -> tuple[Record, ...]:
    """Rows of a CSV; columns without a key are left out."""
    kept = [column for column in columns if column.key]
    return tuple(
        {name: value for column in kept for name, value in column.numbers(row).items()}
        for row in rows
    )


def make_table(
    name: str,
    caption: str,
    columns: Sequence[Column[R]],
    rows: Sequence[R] | Mapping[str, Sequence[R]],
    *,
    records: Sequence[Mapping[str, Number]] | None = None,
    notes: Sequence[str] = (),
    warnings: Sequence[str] = (),
    certificates: Sequence[str] = (),
) -> Table:
    """Make a table.

    Args:
        name: stem of its files.
        caption: text above it.
        columns: from left to right.
        rows: rows of any type; or rows by their heading, "" for none. A heading without rows is
            left out.
        records: rows of the CSV, if they differ from the rows that are shown.
        notes: texts under it.
        warnings: texts under the notes.
        certificates: digests of the certificates that vouch for the numbers.
    """
    groups = rows if isinstance(rows, Mapping) else {"": rows}
    if records is None:
        records = records_of(columns, [row for part in groups.values() for row in part])
    return Table(
        name=name,
        caption=caption,
        heads=tuple(column.head for column in columns if column.head.title),
        sections=tuple(section(columns, part, head) for head, part in groups.items() if part),
        records=tuple(map(dict, records)),
        notes=tuple(notes),
        warnings=tuple(warnings),
        certificates=tuple(certificates),
    )


def text_section(rows: Iterable[Sequence[str]], heading: str = "") -> Section:
    """A section with rows of plain text, such as totals."""
    return Section(tuple(tuple(Cell(text) for text in row) for row in rows), heading)


def text_table(
    name: str,
    caption: str,
    titles: Sequence[str],
    rows: Sequence[Sequence[str]] | Mapping[str, Sequence[Sequence[str]]],
    *,
    right: Collection[str] = (),
    records: Sequence[Mapping[str, Number]] = (),
    notes: Sequence[str] = (),
) -> Table:
    """Make a table of plain text; the columns named in ``right`` are aligned to the right."""
    groups = rows if isinstance(rows, Mapping) else {"": rows}
    return Table(
        name=name,
        caption=caption,
        heads=tuple(ColumnHead(title, title in right) for title in titles),
        sections=tuple(text_section(part, head) for head, part in groups.items() if part),
        records=tuple(map(dict, records)),
        notes=tuple(notes),
    )


def bounds(key: str, found: Interval | None) -> dict[str, Number]:
    """A value and its interval as three fields of a record."""
    held = (found.value, found.low, found.high) if found else (None, None, None)
    return dict(zip((key, f"{key}_low", f"{key}_high"), held, strict=True))
