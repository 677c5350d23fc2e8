"""CSV and TSV files: one row per utterance, with its fold, its part, or both."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from serbench.api import SplitError
from serbench.checks.audit.rows import ONLY_FOLD, AuditRow, Part, SplitFile, part_name
from serbench.errors import listed
from serbench.protocol.splits.fold_file import TRAIN_ONLY

LAYOUT = "a .csv or .tsv file with a column utterance, and fold, part (or split) or both"

SUFFIXES = (".csv", ".tsv")
DELIMITERS = (",", "\t", ";")

IDS = ("utterance", "utterance_id", "utt_id", "key", "id")
PATHS = ("path", "file", "wav", "audio", "filename", "file_name")
PART_COLUMNS = ("part", "split", "partition", "subset")
COLUMNS = {
    "speaker": ("speaker", "speaker_id", "spk", "spk_id"),
    "session": ("session", "session_id"),
    "text": ("text", "text_id", "sentence", "transcript", "transcription"),
    "label": ("label", "emotion", "emo"),
}
"""Optional columns by field of ``AuditRow``; the first one found is used."""


@dataclass(frozen=True, slots=True)
class CsvLine:
    """One line of a table: its position, and its cells by lower-case column name."""

    where: str
    cells: Mapping[str, str]


def matches(path: Path) -> bool:
    """True for a file with one of these extensions."""
    return path.suffix.lower() in SUFFIXES


def read(path: Path) -> SplitFile:
    """Read the rows of a table.

    With ``fold`` but no part, the named fold tests the utterance, and all other folds train on it,
    as in serbench's own fold files; a fold ``train`` is never tested. With a part but no fold,
    there is one fold.

    Raises:
        SplitError: the file is empty, a column is missing, a cell is empty, or a part is unknown.
    """
    columns, lines = read_table(path)
    utterance = _first(columns, IDS) or _first(columns, PATHS)
    part = _only(path, columns, PART_COLUMNS)
    has_fold = "fold" in columns
    if utterance is None or not (part or has_fold):
        lacks = "utterance" if utterance is None else "fold or part"
        raise SplitError(
            f"{path}: no column {lacks}; its columns are {listed(columns)}. Needed are an "
            f"utterance ({', '.join((*IDS, *PATHS))}) and fold, part (or "
            f"{', '.join(PART_COLUMNS[1:])}) or both"
        )
    needed = [utterance, *(["fold"] if has_fold else []), *([part] if part else [])]
    _check_cells(path, lines, needed)
    plain = [_row(line, utterance, columns, has_fold) for line in lines]
    if part is None:
        rows, described = _tested_once(path, plain), "fold = the fold that tests the utterance"
    else:
        parts = _parts(path, lines, part)
        rows = [replace(row, part=side) for row, side in zip(plain, parts, strict=True)]
        described = f"fold and {part}" if has_fold else f"{part}, one fold"
    return SplitFile("csv", described, tuple(rows))


def read_table(path: Path) -> tuple[tuple[str, ...], list[CsvLine]]:
    """Read column names in lower case, and all lines; the first line decides the separator.

    Raises:
        SplitError: the file is empty, has a column twice, a line of another width, or broken
            quotes.
    """
    with path.open(encoding="utf-8-sig", newline="") as stream:
        header = stream.readline()
        if not header.strip():
            raise SplitError(f"{path}: the file is empty; its first line must name the columns")
        delimiter = max(DELIMITERS, key=header.count)
        stream.seek(0)
        return _parse(path, csv.reader(stream, delimiter=delimiter, strict=True))


def optional_cells(cells: Mapping[str, str]) -> dict[str, str | None]:
    """Speaker, session, text and label of a line or a JSON row; None if empty."""
    return {
        name: next((cells[key].strip() for key in keys if cells.get(key, "").strip()), None)
        for name, keys in COLUMNS.items()
    }


def _parse(path: Path, reader: Iterator[list[str]]) -> tuple[tuple[str, ...], list[CsvLine]]:
    lines: list[CsvLine] = []
    columns: tuple[str, ...] = ()
    try:
        for cells in reader:
            line = reader.line_num  # pyright: ignore[reportAttributeAccessIssue]
            if not columns:
                columns = tuple(cell.strip().lower() for cell in cells)
                if twice := sorted({c for c in columns if columns.count(c) > 1}):
                    raise SplitError(f"{path}: columns are named twice: {listed(twice)}")
            elif len(cells) != len(columns) and cells:
                raise SplitError(
                    f"{path}: line {line} has {len(cells)} cells, but the first line has "
                    f"{len(columns)}"
                )
            elif cells:
                lines.append(CsvLine(f"{path.name}:{line}", dict(zip(columns, cells, strict=True))))
    except csv.Error as error:
        raise SplitError(f"{path}: line {reader.line_num}: {error}") from error  # pyright: ignore[reportAttributeAccessIssue]
    return columns, lines


def _first(columns: Sequence[str], names: Sequence[str]) -> str | None:
    return next((name for name in names if name in columns), None)


def _only(path: Path, columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The only one of ``names`` that is a column; None if there is none."""
    found = [name for name in names if name in columns]
    if len(found) > 1:
        raise SplitError(f"{path}: the columns {' and '.join(found)} all name a part; keep one")
    return found[0] if found else None


def _check_cells(path: Path, lines: Sequence[CsvLine], needed: Sequence[str]) -> None:
    for column in needed:
        if empty := [line.where for line in lines if not line.cells[column].strip()]:
            raise SplitError(f"{path}: the column {column} is empty in {listed(empty)}")


def _row(line: CsvLine, utterance: str, columns: Sequence[str], has_fold: bool) -> AuditRow:
    name = line.cells[utterance].strip()
    path = _first(columns, PATHS)
    return AuditRow(
        utterance=name,
        fold=line.cells["fold"].strip() if has_fold else ONLY_FOLD,
        part="test",
        where=line.where,
        path=(line.cells[path].strip().replace("\\", "/") or None) if path else None,
        **optional_cells(line.cells),
    )


def _parts(path: Path, lines: Sequence[CsvLine], column: str) -> list[Part]:
    parts: list[Part] = []
    unknown: list[str] = []
    for line in lines:
        part = part_name(line.cells[column])
        if part is None:
            unknown.append(f"{line.cells[column].strip()!r} ({line.where})")
        else:
            parts.append(part)
    if unknown:
        raise SplitError(
            f"{path}: unknown parts: {listed(unknown)}; a part is train, validation (or val, "
            "dev) or test"
        )
    return parts


def _tested_once(path: Path, rows: Sequence[AuditRow]) -> list[AuditRow]:
    """One row per utterance and fold: tested in its own fold, trained on in all others."""
    named = dict.fromkeys(row.fold for row in rows)
    folds = [fold for fold in named if fold != TRAIN_ONLY]
    if len(named) == 1:
        raise SplitError(
            f"{path}: one fold ({next(iter(named))}) and no column part, so no utterance is "
            "trained on, or none is tested; add a column part"
        )
    return [
        row if row.fold == fold else replace(row, fold=fold, part="train")
        for fold in folds
        for row in rows
    ]
