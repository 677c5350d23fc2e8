"""Reads every run below a folder, or lists it with the reason why it could not be read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from serbench.errors import SerbenchError
from serbench.results.pages.report import report_page
from serbench.results.record import NO_STUDIES, OfRuns, StudyRecord, no_studies
from serbench.results.report.build import Adds, nothing_more
from serbench.results.report.results import Results, load_results

Read = TypeVar("Read")

MARKER = "leaderboard.json"
"""A file that is in every site, and nowhere else."""

REMAINS = ("predictions.parquet", "certificate.json")
"""Files that only a run has; if they exist without ``plan.json``, a run was damaged."""

READ: Mapping[str, type] = {
    "dataset.name": str,
    "dataset.labels": list,
    "dataset.corpus_digest": str,
    "dataset.utterances": int,
    "folds": str,
    "folds_digest": str,
    "outer": list,
    "seeds": list,
}
"""Entries of a plan that the site reads."""

FOREIGN = (AttributeError, IndexError, KeyError, TypeError, ValueError, ArithmeticError)
"""Errors that reading raises on files that have the names of a run's files but other content."""


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A finished run.

    Attributes:
        label: its path below the folder, with slashes; unique.
        page: the HTML of its own page; empty if it cannot be made.
        records: records of studies about it.
    """

    label: str
    results: Results
    page: str
    records: tuple[StudyRecord, ...]

    @property
    def digest(self) -> str:
        """Digest of its certificate."""
        return self.results.runs[0].certificate.digest


@dataclass(frozen=True, slots=True)
class UnlistedRun:
    """A folder that is not listed, or not completely, with the reason."""

    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class Collection:
    """The runs and problems below a folder, by label.

    Attributes:
        entries: finished runs, each once.
        problems: unfinished and damaged runs, copies, and parts of listed runs that cannot be
            shown.
    """

    entries: tuple[ListedRun, ...]
    problems: tuple[UnlistedRun, ...]


def collect(folder: Path, adds: Adds = nothing_more, studies: OfRuns = no_studies) -> Collection:
    """Read every run below ``folder``, which may be a run itself.

    Args:
        folder: a folder above the runs, at any depth.
        adds: returns what else a run's own report has.
        studies: finds the records of studies about a run.

    Raises:
        SerbenchError: there is no such folder.
    """
    if not folder.is_dir():
        raise SerbenchError(f"the folder {folder} does not exist; give a folder with runs")
    entries: dict[str, ListedRun] = {}  # by digest of the certificate
    problems: list[UnlistedRun] = []
    for place, fault in _run_folders(folder):
        label = _label(folder, place)
        if fault:
            problems.append(UnlistedRun(label, fault))
            continue
        results = _tried(lambda at=place: _results(at))
        if isinstance(results, str):
            problems.append(UnlistedRun(label, _local(results, place, label)))
            continue
        digest = results.runs[0].certificate.digest
        if digest in entries:
            problems.append(UnlistedRun(label, f"a copy of {entries[digest].label}"))
            continue
        entry, faults = _entry(label, place, results, adds, studies)
        entries[digest] = entry
        problems += faults
    return Collection(tuple(entries.values()), tuple(problems))


def _run_folders(folder: Path) -> Iterator[tuple[Path, str]]:
    """Folders that have a run, or the rest of one, with the problem; sorted by name.

    Folders inside a run and inside a site are not searched.
    """
    unread: list[OSError] = []
    for place, below, files in os.walk(folder, onerror=unread.append):
        below.sort()
        here = Path(place)
        if "plan.json" in files:
            yield here, ""
        elif all(name in files for name in REMAINS):
            yield here, "damaged: plan.json is missing"
        elif MARKER not in files:
            continue
        below.clear()
    for error in unread:
        yield Path(error.filename), f"cannot be read: {error.strerror}"


def _results(place: Path) -> Results:
    """
    Raises:
        SerbenchError: the run is unfinished or damaged, or its plan lacks what the site reads.
    """
    results = load_results([place])
    plan = results.runs[0].plan
    for path, kind in READ.items():
        value: object = plan
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not isinstance(value, kind):
            raise SerbenchError(f"{place}/plan.json is damaged: {path} is {value!r}")
    return results


def _label(folder: Path, place: Path) -> str:
    relative = place.relative_to(folder).as_posix()
    return folder.resolve().name if relative == "." else relative


def _entry(
    label: str, place: Path, results: Results, adds: Adds, studies: OfRuns
) -> tuple[ListedRun, list[UnlistedRun]]:
    """The run with its page and its studies, and the parts of these that are not available."""
    problems: list[UnlistedRun] = []
    stored = _tried(lambda: studies(results.runs))
    if isinstance(stored, str):
        reason = f"listed without its studies: {_local(stored, place, label)}"
        problems.append(UnlistedRun(label, reason))
        stored = NO_STUDIES
    made = _tried(lambda: (report_page(results, stored, adds(results)),))
    if isinstance(made, str):
        reason = f"listed without its own page: {_local(made, place, label)}"
        problems.append(UnlistedRun(label, reason))
    return ListedRun(
        label, results, "" if isinstance(made, str) else made[0], stored.records
    ), problems


def _tried(read: Callable[[], Read]) -> Read | str:
    """The result of ``read``, or the reason why it failed."""
    try:
        return read()
    except SerbenchError as error:
        return str(error)
    except FOREIGN as error:
        return f"damaged: a file has unexpected content ({error!r})"


def _local(reason: str, place: Path, label: str) -> str:
    """The reason without the private path to the folder."""
    return (
        reason.replace(f"{place.resolve()}/", "")
        .replace(f"{place}/", "")
        .replace(str(place), label)
    )
