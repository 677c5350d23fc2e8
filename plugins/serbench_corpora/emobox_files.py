"""EmoBox's fold files (Ma et al., Interspeech 2024): the side of each utterance in each fold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from serbench.api import CorpusError, is_hidden, read_json
from serbench_corpora.table_rows import Row, json_row, read_json_rows, shown

LAYOUT = "fold_1/emodb_train_fold_1.jsonl, fold_1/emodb_test_fold_1.jsonl and the like"

NAME = re.compile(
    r"(?P<dataset>.+)_(?P<part>train|valid|validation|val|dev|test)_fold(?P<dash>_?)"
    r"(?P<fold>\d+)\.(?P<suffix>jsonl?)"
)

TRAIN, VALIDATION, TEST = "train", "validation", "test"

PARTS = {TRAIN: TRAIN, TEST: TEST}
"""Names of parts in the names of files; every other name means validation."""


@dataclass(frozen=True, slots=True)
class FoldFile:
    """A file with one part of one fold; ``rank`` 0 is the file name that EmoBox documents."""

    path: Path
    dataset: str
    fold: int
    part: str
    rank: int


@dataclass(frozen=True)
class Folds:
    """Content of the fold files of one dataset.

    Attributes:
        rows: the row of each utterance, by key.
        sides: for each fold, the keys in each of its parts.
    """

    rows: Mapping[str, Row]
    sides: Mapping[int, Mapping[str, Sequence[str]]]

    def official(self) -> dict[str, str]:
        """The fold that tests each key; with a single fold, the part that contains it.

        Raises:
            CorpusError: a key is on two sides of a fold or on none, or is tested in two folds
                or in none.
        """
        if len(self.sides) == 1:
            ((fold, parts),) = self.sides.items()
            return _single(fold, parts)
        tested = _single(
            None, {str(fold): parts.get(TEST, ()) for fold, parts in self.sides.items()}
        )
        for fold, parts in self.sides.items():
            self._check_complete(fold, _single(fold, parts))
        if never := sorted(set(self.rows) - set(tested)):
            raise CorpusError(f"{len(never)} utterances are tested in no fold: {shown(never)}")
        return tested

    def _check_complete(self, fold: int, known: Iterable[str]) -> None:
        if absent := sorted(set(self.rows) - set(known)):
            raise CorpusError(
                f"{len(absent)} utterances are on no side of fold {fold}, but on one of other "
                f"folds: {shown(absent)}"
            )


def read_folds(folder: Path) -> Folds:
    """Read the fold files in ``folder``, or in folders one level below.

    EmoBox's own folders contain some parts under several names (``…_fold_1.jsonl``,
    ``…_fold1.jsonl``, ``…_fold_1.json``). The first of these is read.

    Raises:
        CorpusError: there are no fold files, they belong to several datasets, a fold lacks training
            or test, or a file cannot be read.
    """
    files = sorted(_files(folder), key=lambda file: (file.fold, file.part, file.rank))
    if not files:
        raise CorpusError(f"{folder} has no EmoBox fold files; expected {LAYOUT}")
    datasets = sorted({file.dataset for file in files})
    if len(datasets) > 1:
        raise CorpusError(
            f"{folder} has fold files of several datasets: {shown(datasets)}; give the folder of "
            "one dataset"
        )
    chosen: dict[tuple[int, str], FoldFile] = {}
    for file in files:
        chosen.setdefault((file.fold, file.part), file)
    rows: dict[str, Row] = {}
    sides: dict[int, dict[str, list[str]]] = {}
    for file in chosen.values():
        keyed = {_key(row): row for row in _rows(file.path, file.path.relative_to(folder))}
        rows = keyed | rows
        sides.setdefault(file.fold, {})[file.part] = list(keyed)
    for fold, parts in sides.items():
        if missing := {TRAIN, TEST} - set(parts):
            raise CorpusError(f"{folder}: fold {fold} has no {shown(sorted(missing))} file")
    return Folds(rows, sides)


def read_label_map(folder: Path) -> dict[str, str]:
    """Content of EmoBox's ``label_map.json``; empty if the file does not exist.

    Raises:
        CorpusError: it is not an object of texts.
    """
    path = folder / "label_map.json"
    if not path.is_file():
        return {}
    content = _document(path, path.name)
    if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
        raise CorpusError(f"{path} must be a JSON object of labels by value of emo")
    return content


def _files(folder: Path) -> Iterator[FoldFile]:
    for path in (*folder.glob("*.json*"), *folder.glob("*/*.json*")):
        match = NAME.fullmatch(path.name)
        if match is None or is_hidden(path.name):
            continue
        rank = 2 * (match["suffix"] == "json") + (match["dash"] == "")
        part = PARTS.get(match["part"], VALIDATION)
        yield FoldFile(path, match["dataset"], int(match["fold"]), part, rank)


def _rows(path: Path, name: Path) -> Iterator[Row]:
    """Rows of a ``.jsonl`` file, or of a ``.json`` object of rows by key."""
    if path.suffix == ".jsonl":
        try:
            yield from read_json_rows(path, name.as_posix())
        except (OSError, UnicodeDecodeError) as error:
            raise CorpusError(f"{path} cannot be read: {error}") from error
        return
    content = _document(path, name.as_posix())
    if not isinstance(content, dict):
        raise CorpusError(f"{path} must be a JSON object of rows by key")
    for key, values in content.items():
        row = json_row(f"{name.as_posix()}:{key}", values)
        yield Row(row.where, {"key": key, **row.cells})


def _key(row: Row) -> str:
    for name in ("key", "wav", "emo"):
        if not row.cells.get(name):
            raise CorpusError(
                f"{row.where}: no {name}; a row is "
                '{"key": "emodb-03a01Fa", "wav": "downloads/emodb/wav/03a01Fa.wav", "emo": …}'
            )
    return row.cells["key"]


def _document(path: Path, name: str) -> object:
    try:
        return read_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CorpusError(f"{name} cannot be read: {error}") from error


def _single(fold: int | None, parts: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """The part that contains each key. If ``fold`` is None, the parts are the test sides
    of the folds.

    Raises:
        CorpusError: a key is in two parts.
    """
    found: dict[str, str] = {}
    twice: dict[str, str] = {}
    for part, keys in parts.items():
        for key in keys:
            if key in found:
                twice[key] = f"{key} ({found[key]} and {part})"
            found[key] = part
    if twice:
        where = "tested in two folds" if fold is None else f"on two sides of fold {fold}"
        raise CorpusError(f"{len(twice)} utterances are {where}: {shown(list(twice.values()))}")
    return found
