"""Rows of tables on disk, whatever their format, as text by column."""

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
        where: for messages: ``"data.tsv:12"``.
        cells: text by column, without spaces around it; empty where there is none.
    """

    where: str
    cells: Mapping[str, str]


def read_rows(
    path: Path, name: str, wanted: Iterable[str], welcome: Iterable[str] = ()
) -> list[Row]:
    """All rows of a table.

    Args:
        path: a file with one of the endings in ``FORMATS``.
        name: of the table, for messages.
        wanted: columns that must be there.
        welcome: columns that may be there; of a Parquet file, no others are read.

    Raises:
        CorpusError: another ending, a file that cannot be read, columns that are missing or named
            twice, or a row with other cells than columns.
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
    """Rows of a JSON Lines file, each with the columns that its own line has.

    Raises:
        CorpusError: a line that is no JSON object.
    """
    with path.open(encoding="utf-8-sig") as file:
        return [
            json_row(f"{name}:{number}", _json(line, f"{name}:{number}"))
            for number, line in enumerate(file, start=1)
            if line.strip()
        ]


def json_row(where: str, values: object) -> Row:
    """A row of a JSON object.

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
    """Lines of a ``csv.reader``, which counts lines of the file and not of the table."""
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
"""How a table is read, by the ending of its name."""


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
    """A cell as text; what has no short text, such as a list or bytes, is named by its type."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, (bool, int, float)) else f"<{type(value).__name__}>"
