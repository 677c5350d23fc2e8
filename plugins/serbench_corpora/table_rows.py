"""Reads rows of tables in any supported format, as text by column."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from serbench.api import CorpusError, read_json, stands_in

SHOWN = 8
"""Names that a message lists before it counts the rest."""

Names = Sequence[str]


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        where: place of the row, for messages, such as ``"data.tsv:12"``.
        cells: text by column, without spaces around it; an empty cell has an empty text.
    """

    where: str
    cells: Mapping[str, str]


def read_rows(
    path: Path, name: str, wanted: Iterable[str], welcome: Iterable[str] = ()
) -> list[Row]:
    """All rows of a table.

    Args:
        path: path of a file with one of the endings in ``FORMATS``.
        name: name of the table, for messages.
        wanted: columns that the table must have.
        welcome: columns that the table may have. No other columns are read from a Parquet file.

    Raises:
        CorpusError: the file has another ending or cannot be read, columns are missing or occur
            twice, or the cells of a row do not fit the columns.
    """
    read = FORMATS.get(path.suffix.lower())
    if read is None:
        raise CorpusError(f"{name} is not a readable table; use {', '.join(FORMATS)}")
    if what := stands_in(path):
        raise CorpusError(f"{name} is {what}")
    try:
        return read(path, name, sorted(set(wanted)), sorted(set(welcome)))
    except UnicodeDecodeError as error:
        raise CorpusError(f"{name} is not UTF-8 ({error.reason}); save it as UTF-8") from error
    except OSError as error:
        raise CorpusError(f"{name} cannot be read: {error.strerror or error}") from error


def read_json_rows(path: Path, name: str) -> list[Row]:
    """Rows of a JSON Lines file, each with the columns of its own line.

    Raises:
        CorpusError: a line is not a JSON object.
    """
    with path.open(encoding="utf-8-sig") as file:
        return [
            json_row(f"{name}:{number}", _json(line, f"{name}:{number}"))
            for number, line in enumerate(file, start=1)
            if line.strip()
        ]


def json_row(where: str, values: object) -> Row:
    """The row of a JSON object.

    Raises:
        CorpusError: it is another JSON value.
    """
    if not isinstance(values, dict):
        raise CorpusError(f"{where}: must be a JSON object, not {json.dumps(values):.60}")
    return Row(where, {str(key): _text(value) for key, value in values.items()})


def shown(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _separated(path: Path, name: str, wanted: Names, _welcome: Names, delimiter: str) -> list[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            columns = [column.strip() for column in next(lines, [])]
            if twice := sorted({column for column in columns if columns.count(column) > 1}):
                raise CorpusError(f"{name} has several columns {shown(twice)}")
            _check_columns(name, columns, wanted)
            return list(_rows_of(lines, name, columns))
        except csv.Error as error:
            raise CorpusError(f"{name}:{lines.line_num}: {error}") from error


def _rows_of(lines: Iterator[list[str]], name: str, columns: Sequence[str]) -> Iterator[Row]:
    """Rows from a ``csv.reader``, which counts lines of the file and not rows of the table."""
    for cells in lines:
        where = f"{name}:{lines.line_num}"  # pyright: ignore[reportAttributeAccessIssue]
        if not cells:
            continue
        if len(cells) != len(columns):
            raise CorpusError(
                f"{where}: {len(cells)} cells, but the table has {len(columns)} columns"
            )
        yield Row(where, dict(zip(columns, map(str.strip, cells), strict=True)))


def _json_lines(path: Path, name: str, wanted: Names, _welcome: Names) -> list[Row]:
    rows = read_json_rows(path, name)
    columns = list(dict.fromkeys(key for row in rows for key in row.cells))
    _check_columns(name, columns, wanted)
    return [Row(row.where, dict.fromkeys(columns, "") | dict(row.cells)) for row in rows]


def _parquet(path: Path, name: str, wanted: Names, welcome: Names) -> list[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        columns = pq.read_schema(path).names
        _check_columns(name, columns, wanted)
        read = [column for column in columns if column in {*wanted, *welcome}]
        values = pq.read_table(path, columns=read).to_pylist()
    except pa.ArrowException as error:
        raise CorpusError(f"{name} is not a readable Parquet file: {error}") from error
    return [json_row(f"{name}: row {number}", row) for number, row in enumerate(values, start=1)]


FORMATS: Mapping[str, Callable[[Path, str, Names, Names], list[Row]]] = {
    ".csv": partial(_separated, delimiter=","),
    ".tsv": partial(_separated, delimiter="\t"),
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}
"""Function that reads a table, by the ending of the file name."""


def _check_columns(name: str, columns: Sequence[str], wanted: Iterable[str]) -> None:
    if missing := sorted(set(wanted) - set(columns)):
        raise CorpusError(
            f"{name} has no column {', '.join(missing)}; it has {', '.join(columns) or 'none'}"
        )


def _json(line: str, where: str) -> object:
    try:
        return read_json(line)
    except ValueError as error:
        raise CorpusError(f"{where}: not valid JSON: {error}") from error


def _text(value: object) -> str:
    """A cell as text; a value without a short text, such as a list or bytes, becomes the name of
    its type.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, (bool, int, float)) else f"<{type(value).__name__}>"
