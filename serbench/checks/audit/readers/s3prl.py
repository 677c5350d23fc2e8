"""s3prl's session files for emotion recognition (Yang et al., SUPERB, Interspeech 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from serbench.api import SplitError
from serbench.checks.audit.readers.lines import json_document, texts
from serbench.checks.audit.readers.table import PATHS, optional_cells
from serbench.checks.audit.rows import ONLY_FOLD, AuditRow, Part, SplitFile, part_name
from serbench.protocol.splits.groups import natural_key

LAYOUT = "a folder of s3prl's session files, such as Session1/train_meta_data.json"

ENDING = "_meta_data.json"


def matches(path: Path) -> bool:
    """True for a folder that holds such files, directly or one level below."""
    return next(_files(path), None) is not None


def read(path: Path) -> SplitFile:
    """Read the rows of every session below ``path``; each session is a fold.

    Raises:
        SplitError: a file is missing, or its content does not fit.
    """
    files = sorted(_files(path), key=lambda file: (natural_key(file[1]), file[2]))
    if not files:
        raise SplitError(f"{path}: no session files; expected {LAYOUT}")
    rows = [row for file in files for row in _rows(*file)]
    return SplitFile("s3prl", "s3prl's session files", tuple(rows))


def _files(path: Path) -> Iterator[tuple[Path, str, Part]]:
    """Each file with its fold and its part."""
    for file in (*path.glob(f"*{ENDING}"), *path.glob(f"*/*{ENDING}")):
        part = part_name(file.name.removesuffix(ENDING))
        if part is not None:
            yield file, ONLY_FOLD if file.parent == path else file.parent.name, part


def _rows(path: Path, fold: str, part: Part) -> Iterator[AuditRow]:
    content = json_document(path)
    entries = content.get("meta_data") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise SplitError(f'{path}: no list "meta_data"; expected {{"labels": …, "meta_data": […]}}')
    for number, entry in enumerate(entries, start=1):
        cells = texts(entry) if isinstance(entry, dict) else {}
        audio = next((cells[key] for key in PATHS if cells.get(key)), None)
        if audio is None:
            raise SplitError(f"{path}: entry {number} of meta_data has no path: {entry!r:.80}")
        audio = audio.replace("\\", "/")
        where = f"{path.parent.name}/{path.name}, entry {number}"
        yield AuditRow(audio, fold, part, where, path=audio, **optional_cells(cells))
