"""JSON that split files are made of, with messages that name file and line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from serbench.api import SplitError

JsonRow = Mapping[str, object]


def json_lines(path: Path) -> Iterator[tuple[str, JsonRow]]:
    """``(file:line, object)`` of each line of a JSON Lines file; empty lines are passed over.

    Raises:
        SplitError: a line that is not a JSON object.
    """
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
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
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise SplitError(f"{path}: not JSON ({error})") from error


def texts(row: JsonRow) -> dict[str, str]:
    """The row's texts and numbers, as texts, by lower-case key."""
    return {
        key.lower(): str(value)
        for key, value in row.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    }
