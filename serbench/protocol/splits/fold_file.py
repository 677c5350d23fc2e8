"""Fold files: which fold tests which utterance."""

from __future__ import annotations

import csv
from pathlib import Path

from serbench.api import SplitError
from serbench.data.corpus.table import CorpusTable
from serbench.errors import listed
from serbench.protocol.splits.groups import natural_key

TRAIN_ONLY = "train"
"""Value in the column ``fold`` if no fold tests the utterance."""


def file_trained_only(table: CorpusTable, path: Path) -> tuple[str, ...]:
    """Utterances that no fold of a fold file tests."""
    only = {utterance for _, utterance, fold in _fold_rows(path) if fold == TRAIN_ONLY}
    return tuple(i for i in table.ids if i in only)


def read_fold_file(table: CorpusTable, path: Path) -> list[list[str]]:
    """The utterances that each fold of a fold file tests, folds in natural order of their names."""
    rows = _fold_rows(path)
    fold_of: dict[str, str] = {}
    repeated = []
    for line, utterance, fold in rows:
        if utterance in fold_of:
            repeated.append(f"{utterance} (line {line})")
        fold_of[utterance] = fold
    known = frozenset(table.ids)
    faults = []
    if repeated:
        faults.append(f"utterances that occur more than once: {listed(repeated)}")
    if unknown := [i for i in fold_of if i not in known]:
        faults.append(f"utterances that are not in {table.name}: {listed(unknown)}")
    if missing := [i for i in table.ids if i not in fold_of]:
        faults.append(f"utterances of {table.name} without a fold: {listed(missing)}")
    names = sorted({*fold_of.values()} - {TRAIN_ONLY}, key=natural_key)
    if len({*fold_of.values()}) < 2 or not names:
        faults.append("there must be at least two folds")
    if faults:
        raise SplitError(f"fold file {path}: {'; '.join(faults)}")
    return [[i for i in table.ids if fold_of[i] == name] for name in names]


def _fold_rows(path: Path) -> list[tuple[int, str, str]]:
    """Line, utterance and fold of each row of a fold file."""
    rows = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            columns = reader.fieldnames or ()
            if not {"utterance", "fold"} <= set(columns):
                raise SplitError(
                    f"fold file {path}: it needs the columns utterance and fold, but has "
                    f"{listed(columns) if columns else 'none'}"
                )
            for row in reader:
                utterance, fold = (row["utterance"] or "").strip(), (row["fold"] or "").strip()
                if not utterance or not fold:
                    raise SplitError(
                        f"fold file {path}: line {reader.line_num} has no utterance or no fold"
                    )
                rows.append((reader.line_num, utterance, fold))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SplitError(f"fold file {path} cannot be read: {error}") from error
    return rows
