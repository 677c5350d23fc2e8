"""``study.json``: the findings of a study, as tables and figures that any page can show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from serbench.api.json_text import read_typed
from serbench.errors import StoreError
from serbench.files.atomic import write_atomically
from serbench.files.digests import shown_digest
from serbench.results.figure.figure import Figure
from serbench.results.table.table import Table
from serbench.running.store.finished import StoredRun

KIND: Literal["serbench study"] = "serbench study"
SCHEMA_VERSION: Literal[1] = 1

NAME = "study.json"
"""Name of the file in the folder of each study in a run's folder."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact that a study found about a method, a cell of the leaderboard.

    Attributes:
        title: title of the column.
        text: text of the cell.
        value: sort key of the column; None: the text.
        about: shown next to it in small print.
    """

    method: str
    title: str
    text: str
    value: float | None = None
    about: str = ""


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """The findings of a study about one run, or several.

    Attributes:
        study: its name.
        title: title of its section on a page.
        version: version of serbench.
        params: the chosen values.
        runs: names of the runs' folders.
        certificates: digests of their certificates.
        lines: sentences above figures and tables.
        tables: without their CSV's numbers, which are in a separate file.
        facts: facts for the leaderboard.
        facts_note: how to read them.
    """

    kind: Literal["serbench study"]
    schema_version: Literal[1]
    study: str
    title: str
    version: str
    params: dict[str, object]
    runs: tuple[str, ...]
    certificates: tuple[str, ...]
    lines: tuple[str, ...]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    facts: tuple[Fact, ...] = ()
    facts_note: str = ""


RECORD = TypeAdapter(StudyRecord)


def write_record(record: StudyRecord, path: Path) -> None:
    """
    Raises:
        StoreError: the file cannot be written.
    """
    write_atomically(path, RECORD.dump_json(record) + b"\n")


def read_record(path: Path, run: StoredRun) -> StudyRecord:
    """Read what a study found about ``run``.

    Raises:
        StoreError: the file cannot be read, is damaged, or is of another version or another run.
    """
    try:
        record = read_typed(RECORD, path.read_bytes())
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise StoreError(
            f"{path} is damaged, or another version of serbench wrote it ({error}); run `serbench "
            f"{path.parent.name} {run.name}` again"
        ) from error
    if run.certificate.digest not in record.certificates:
        raise StoreError(
            f"{path} belongs to another run: its certificate is not "
            f"{shown_digest(run.certificate.digest)}; run `serbench {record.study} {run.name}` "
            "again"
        )
    return record


@dataclass(frozen=True, slots=True)
class StoredStudies:
    """Records of studies in runs' folders.

    Attributes:
        records: records of each run after the other, sorted by the names of their folders.
        outdated: folders of an older version of serbench, which wrote no record; ``RUN/NAME``.
    """

    records: tuple[StudyRecord, ...]
    outdated: tuple[str, ...]


NO_STUDIES = StoredStudies((), ())


def no_studies(_: Sequence[StoredRun]) -> StoredStudies:
    """Find no records."""
    return NO_STUDIES


OfRuns = Callable[[Sequence[StoredRun]], StoredStudies]
"""A function that finds the records of studies about runs."""


def stored_studies(run: StoredRun) -> StoredStudies:
    """
    Raises:
        StoreError: see ``read_record``.
    """
    folders = sorted(path for path in run.folder.iterdir() if path.is_dir())
    there = [folder / NAME for folder in folders if (folder / NAME).is_file()]
    outdated = [
        f"{run.name}/{folder.name}"
        for folder in folders
        if (folder / f"{folder.name}.md").is_file() and folder / NAME not in there
    ]
    return StoredStudies(tuple(read_record(path, run) for path in there), tuple(outdated))
