"""Rows of split files: one per utterance and fold, from every reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from serbench.api import SplitError
from serbench.errors import listed

Part = Literal["train", "validation", "test"]

PARTS: tuple[Part, ...] = ("train", "validation", "test")

PART_NAMES: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "devel": "validation",
    "development": "validation",
    "test": "test",
    "testing": "test",
}
"""Names of the parts in split files, in lower case."""

ONLY_FOLD = "1"
"""Name of the fold of a file without folds."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One utterance in one part of one fold, as a split file has it.

    Attributes:
        utterance: its name; after ``identify``, its id in the corpus if it is known.
        fold: the fold's name.
        part: its role in the fold.
        where: file and line, for messages.
        speaker, session, text, label: None if unknown.
        path: path of its audio file, as in the split file, with ``/``.
    """

    utterance: str
    fold: str
    part: Part
    where: str
    speaker: str | None = None
    session: str | None = None
    text: str | None = None
    label: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class SplitFile:
    """The content of split files.

    Attributes:
        format: ``"csv"``, ``"emobox"``, ``"s3prl"`` or ``"folder"``.
        described: the format in words, for the header.
        rows: rows in the order of the files.
        notes: remarks on the reading, for the report.
    """

    format: str
    described: str
    rows: tuple[AuditRow, ...]
    notes: tuple[str, ...] = ()


def part_name(text: str) -> Part | None:
    """The part that ``text`` names, in any case; None if it names none."""
    return PART_NAMES.get(text.strip().lower())


def check_parts(rows: Sequence[AuditRow], source: str) -> None:
    """Check that every fold has training and test rows.

    Raises:
        SplitError: a part of a fold is empty, or there are no rows.
    """
    if not rows:
        raise SplitError(f"{source}: no utterances, so there is nothing to audit")
    parts: dict[str, set[str]] = {}
    for row in rows:
        parts.setdefault(row.fold, set()).add(row.part)
    faults = [
        f"fold {fold} has no {part} part"
        for fold, found in parts.items()
        for part in ("train", "test")
        if part not in found
    ]
    if faults:
        raise SplitError(f"{source}: {listed(faults)}; every fold needs train and test")
