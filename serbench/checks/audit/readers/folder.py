"""A folder of audio with one subfolder per part, as in datasets on a model hub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from serbench.api import SplitError, audio_below
from serbench.checks.audit.readers.lines import json_lines, texts
from serbench.checks.audit.readers.table import optional_cells, read_table
from serbench.checks.audit.rows import ONLY_FOLD, AuditRow, Part, SplitFile, part_name
from serbench.errors import listed

LAYOUT = "a folder with audio in train/ and test/ (and validation/), with or without metadata.csv"

METADATA = ("metadata.csv", "metadata.jsonl")

Cells = Mapping[str, str]


def matches(path: Path) -> bool:
    """True for a folder with subfolders for training and test."""
    return {"train", "test"} <= {part for _, part in _parts(path)}


def read(path: Path) -> SplitFile:
    """Read one row per audio file; an utterance is named by its path below ``path``.

    A part may have subfolders. A part's ``metadata.csv`` (or ``.jsonl``), with ``file_name``, can
    add speaker, session, text and label.

    Raises:
        SplitError: there are no such subfolders, or metadata name a file that does not exist.
    """
    rows = [row for folder, part in sorted(_parts(path)) for row in _rows(path, folder, part)]
    if not rows:
        raise SplitError(f"{path}: no audio files in parts; expected {LAYOUT}")
    return SplitFile("folder", "audio in train/test folders", tuple(rows))


def _parts(path: Path) -> Iterator[tuple[Path, Part]]:
    for folder in path.iterdir():
        part = part_name(folder.name)
        if folder.is_dir() and part is not None:
            yield folder, part


def _rows(root: Path, folder: Path, part: Part) -> Iterator[AuditRow]:
    known = _metadata(folder)
    found = audio_below(folder)
    if lost := [each for each in found.left_out if each.lost]:
        raise SplitError(
            f"{folder}: utterances may be missing: {listed(map(str, lost))}. Make these "
            "readable, or remove them"
        )
    files = dict(zip(found.names, found.paths, strict=True))
    if missing := [f"{name} ({where})" for name, (where, _) in known.items() if name not in files]:
        raise SplitError(f"{folder}: files of its metadata were not found: {listed(missing)}")
    for name, file in files.items():
        utterance = file.relative_to(root).as_posix()
        where, cells = known.get(name, (utterance, {}))
        path = file.absolute().as_posix()
        yield AuditRow(utterance, ONLY_FOLD, part, where, path=path, **optional_cells(cells))


def _metadata(folder: Path) -> dict[str, tuple[str, Cells]]:
    """Metadata of each file and the place of its line, by the file's path below ``folder``."""
    found: dict[str, tuple[str, Cells]] = {}
    for name in METADATA:
        path = folder / name
        if not path.is_file():
            continue
        lines = (
            [(line.where, line.cells) for line in read_table(path)[1]]
            if path.suffix == ".csv"
            else [(where, texts(row)) for where, row in json_lines(path)]
        )
        for where, cells in lines:
            if not (file := cells.get("file_name", "").strip()):
                raise SplitError(f"{path}: {where} has no file_name")
            found[file.replace("\\", "/")] = (f"{folder.name}/{where}", cells)
    return found
