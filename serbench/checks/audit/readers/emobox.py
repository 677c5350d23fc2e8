"""EmoBox's fold files (Ma et al., Interspeech 2024): JSON Lines, one file per fold and part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from serbench.api import SplitError, is_hidden
from serbench.checks.audit.readers.lines import JsonRow, json_document, json_lines, texts
from serbench.checks.audit.readers.table import IDS, PATHS, optional_cells
from serbench.checks.audit.rows import AuditRow, Part, SplitFile, part_name
from serbench.errors import listed
from serbench.protocol.splits.groups import natural_key

LAYOUT = "a folder of EmoBox fold files, such as fold_1/emodb_train_fold_1.jsonl"

NAME = re.compile(
    r"(?P<dataset>.+)_(?P<part>train|valid|validation|val|dev|test)_fold(?P<dash>_?)"
    r"(?P<fold>\d+)\.(?P<suffix>jsonl?)"
)


@dataclass(frozen=True, slots=True)
class FoldFile:
    """One file of one part; ``rank`` 0 is the name that EmoBox documents."""

    path: Path
    dataset: str
    fold: str
    part: Part
    rank: int


def matches(path: Path) -> bool:
    """True for a folder that holds such files, directly or one level below."""
    return next(_files(path), None) is not None


def read(path: Path) -> SplitFile:
    """Read the rows of every fold below ``path``, which may also be a single ``fold_k``.

    EmoBox's own folders have some parts under several names (``…_fold_1.jsonl``, ``…_fold1.jsonl``,
    ``…_fold_1.json``): only the first is read, and a note names the others.

    Raises:
        SplitError: a file is missing, files are of several datasets, or a line does not fit.
    """
    files = sorted(_files(path), key=lambda file: (natural_key(file.fold), file.part, file.rank))
    if not files:
        raise SplitError(f"{path}: no EmoBox fold files; expected {LAYOUT}")
    datasets = sorted({file.dataset for file in files})
    if len(datasets) > 1:
        raise SplitError(
            f"{path}: fold files of several datasets: {listed(datasets)}; name the folder of "
            "one of them"
        )
    chosen: dict[tuple[str, Part], FoldFile] = {}
    for file in files:
        chosen.setdefault((file.fold, file.part), file)
    passed = [file.path.name for file in files if file not in chosen.values()]
    rows = [row for file in chosen.values() for row in _rows(file)]
    notes = []
    if passed:
        notes.append(
            f"not read, because another file of the same fold holds the same part: {listed(passed)}"
        )
    return SplitFile("emobox", f"EmoBox fold files of {datasets[0]}", tuple(rows), tuple(notes))


def _files(path: Path) -> Iterator[FoldFile]:
    for file in (*path.glob("*.json*"), *path.glob("*/*.json*")):
        match = NAME.fullmatch(file.name)
        if match is None or is_hidden(file.name):
            continue
        part = part_name(match["part"])
        assert part is not None, "the pattern accepts known parts only"
        rank = 2 * (match["suffix"] == "json") + (match["dash"] == "")
        yield FoldFile(file, match["dataset"], match["fold"], part, rank)


def _rows(file: FoldFile) -> Iterator[AuditRow]:
    for where, row in _entries(file.path):
        cells = texts(row)
        path = next((cells[key] for key in PATHS if cells.get(key)), None)
        name = next((cells[key] for key in IDS if cells.get(key)), path)
        if name is None:
            raise SplitError(
                f"{file.path}: {where}: neither key nor wav; a row is "
                f'{{"key": "emodb-03a01Fa", "wav": "wav/03a01Fa.wav", …}}'
            )
        yield AuditRow(
            utterance=name,
            fold=file.fold,
            part=file.part,
            where=where,
            path=path.replace("\\", "/") if path else None,
            **optional_cells(cells),
        )


def _entries(path: Path) -> Iterator[tuple[str, JsonRow]]:
    """Rows of a ``.jsonl`` file, or of a ``.json`` object of rows by key."""
    if path.suffix == ".jsonl":
        yield from json_lines(path)
        return
    content = json_document(path)
    if not isinstance(content, dict):
        raise SplitError(f"{path}: must be a JSON object of rows by key")
    for key, row in content.items():
        if not isinstance(row, dict):
            raise SplitError(f"{path}: {key}: not a row but {row!r:.60}")
        yield f"{path.name}:{key}", {"key": key, **row}
