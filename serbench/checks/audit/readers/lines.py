"""JSON in split files, with messages that name file and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from serbench.api import SplitError
from serbench.api.json_text import read_json, utf8_text

JsonRow = Mapping[str, object]


def json_lines(path: Path) -> Iterator[tuple[str, JsonRow]]:
    """Yield ``(file:line, object)`` for each line of a JSON Lines file; empty lines are skipped.

    Raises:
        SplitError: a line is not a JSON object.
    """
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = read_json(line)
        except ValueError as error:
            raise SplitError(f"{path}: line {number} is not JSON ({error})") from error
        if not isinstance(row, dict):
            raise SplitError(f"{path}: line {number} is not a JSON object: {line.strip():.60}")
        yield f"{path.name}:{number}", row


def json_document(path: Path) -> object:
    """The content of a JSON file.

    Raises:
        SplitError: it is not JSON.
    """
    try:
        return read_json(_text(path))
    except ValueError as error:
        raise SplitError(f"{path}: not JSON ({error})") from error


def _text(path: Path) -> str:
    """
    Raises:
        SplitError: it is not UTF-8.
    """
    try:
        return utf8_text(path.read_bytes(), marked=True)
    except ValueError as error:
        raise SplitError(f"{path}: {error}") from error


def texts(row: JsonRow) -> dict[str, str]:
    """The row's texts and numbers as texts, by lower-case key."""
    return {
        key.lower(): str(value)
        for key, value in row.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    }
