"""The entry of each stored run in a list, from its small files only."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from serbench.errors import StoreError
from serbench.running.store.schema import FILES, checked
from serbench.settings import PROPER

State = Literal["finished", "unfinished", "damaged"]

PREDICTIONS = "predictions.parquet"
LAST = (PREDICTIONS, "certificate.json", "environment.json", "timing.json")
"""Files that a run writes after everything is fitted; a run that has all of them has finished."""

PARQUET = b"PAR1"
"""The bytes with which a complete Parquet file begins and ends."""


@dataclass(frozen=True, slots=True)
class ListedScore:
    """Pooled UA with its 95 % interval, in 0 … 1."""

    ua: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One stored run.

    Attributes:
        name: its path below the searched folder.
        dataset, protocol, profile: as planned; empty if the plan is damaged.
        methods: planned methods, in order.
        seeds: number of seeds of each method.
        reason: what is damaged; empty unless ``state`` is ``"damaged"``.
        refits: number of existing models of outer folds, and their final number.
        scores: scores by method, with teachers; empty if the run has no tables.
        changed_s: when it finished, or when its newest file was written; seconds since 1970.
        size_bytes: size of all its files.
    """

    name: str
    folder: Path
    state: State
    reason: str = ""
    dataset: str = ""
    protocol: str = ""
    profile: str = ""
    methods: tuple[str, ...] = ()
    seeds: int = 0
    refits: tuple[int, int] = (0, 0)
    scores: Mapping[str, ListedScore] = field(default_factory=dict)
    changed_s: float = 0.0
    size_bytes: int = 0

    @property
    def leaky(self) -> bool:
        """Whether its protocol is broken on purpose."""
        return self.protocol not in {"", PROPER}

    def score(self, method: str | None = None) -> tuple[str, ListedScore] | None:
        """The name and score of ``method``, or of the best student; None if the score is
        unknown.
        """
        wanted = self.methods if method is None else (method,)
        known = [(name, self.scores[name]) for name in wanted if name in self.scores]
        return max(known, key=lambda pair: pair[1].ua, default=None)


@dataclass(slots=True)
class _Files:
    """What a walk over a run's folder counts."""

    size_bytes: int = 0
    models: int = 0
    newest_s: float = 0.0


class _DamageError(Exception):
    """An error about a damaged file of a run."""


def list_entries(runs: Path) -> tuple[RunEntry, ...]:
    """List the runs in ``runs`` and in its subfolders, newest first.

    Raises:
        StoreError: there is no such folder.
    """
    if not runs.is_dir():
        raise StoreError(
            f"the folder {runs} does not exist; make a run with `serbench run`, or give the "
            "folder of runs with --runs"
        )
    found = [read_entry(folder, name) for folder, name in _run_folders(runs)]
    return tuple(sorted(found, key=lambda entry: (-entry.changed_s, entry.name)))


def _run_folders(runs: Path) -> Iterator[tuple[Path, str]]:
    if _is_run(runs):
        yield runs, runs.resolve().name
        return
    for child in _folders(runs):
        if _is_run(child):
            yield child, child.name
            continue
        for below in _folders(child):
            if _is_run(below):
                yield below, f"{child.name}/{below.name}"


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(
            each for each in folder.iterdir() if each.is_dir() and not each.name.startswith(".")
        )
    except PermissionError:  # a folder next to the runs may belong to another user
        return []


def _is_run(folder: Path) -> bool:
    """Whether a folder has a run, or the rest of a run that has lost its plan."""
    if (folder / "plan.json").exists():
        return True
    return (folder / PREDICTIONS).exists() and (folder / "fits").is_dir()


def read_entry(folder: Path, name: str) -> RunEntry:
    """Return one run's entry. Damage is reported in the entry and not raised."""
    files = _Files()
    _count(folder, files)
    try:
        plan = _json(folder / "plan.json")
        entry = _planned(plan, folder, name, files)
        missing = [each for each in LAST if not (folder / each).is_file()]
        if missing:
            return replace(entry, state="unfinished")
        _check(folder, plan)
        changed_s = (folder / "timing.json").stat().st_mtime
        return replace(entry, state="finished", scores=_scores(folder), changed_s=changed_s)
    except _DamageError as error:
        return RunEntry(
            name, folder, "damaged", str(error),
            changed_s=files.newest_s, size_bytes=files.size_bytes,
        )  # fmt: skip
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
        return RunEntry(name, folder, "damaged", reason, size_bytes=files.size_bytes)


def _count(folder: Path, files: _Files, below: str = "") -> None:
    """Count everything in a folder. Links are not followed."""
    with os.scandir(folder) as inside:
        for each in inside:
            try:
                if each.is_dir(follow_symlinks=False):
                    _count(Path(each.path), files, below or each.name)
                    continue
                status = each.stat(follow_symlinks=False)
            except FileNotFoundError:  # a run that continues replaces its files
                continue
            files.size_bytes += status.st_size
            files.newest_s = max(files.newest_s, status.st_mtime)
            files.models += below == "models" and each.name.endswith(".safetensors")


def _planned(plan: Mapping[str, Any], folder: Path, name: str, files: _Files) -> RunEntry:
    """The entry of a run according to its plan; it counts as unfinished."""
    methods = tuple(str(method["name"]) for method in plan["methods"])
    seeds = len(plan["seeds"])
    return RunEntry(
        name=name,
        folder=folder,
        state="unfinished",
        dataset=str(plan["dataset"]["name"]),
        protocol=str(plan["protocol"]["name"]),
        profile=str(plan["profile"]),
        methods=methods,
        seeds=seeds,
        refits=(files.models, len(methods) * seeds * len(plan["outer"])),
        changed_s=files.newest_s,
        size_bytes=files.size_bytes,
    )


def _check(folder: Path, plan: Mapping[str, Any]) -> None:
    """Check that a finished run's small files can be read, and that its predictions are complete.

    Raises:
        _DamageError: a file is damaged; the message says which, and how.
    """
    for name in LAST[1:]:
        content = _json(folder / name)
        if name == "certificate.json" and content.get("plan_digest") != plan.get("digest"):
            raise _DamageError(f"{name} belongs to another run")
    with (folder / PREDICTIONS).open("rb") as file:
        begin = file.read(len(PARQUET))
        file.seek(-min(len(PARQUET), (folder / PREDICTIONS).stat().st_size), os.SEEK_END)
        if begin != PARQUET or file.read() != PARQUET:
            raise _DamageError(f"{PREDICTIONS} is incomplete")


def _json(path: Path) -> dict[str, Any]:
    """
    Raises:
        _DamageError: the file is missing, or does not fit its schema.
    """
    try:
        return checked(path.read_bytes(), FILES[path.stem])
    except FileNotFoundError as error:
        raise _DamageError(f"{path.name} is missing") from error
    except ValueError as error:
        raise _DamageError(f"{path.name}: {error}") from error


def _scores(folder: Path) -> dict[str, ListedScore]:
    """UA from the run's own table; empty if the table is missing or cannot be read."""
    try:
        text = (folder / "tables" / "comparison.csv").read_text("utf-8")
        return {
            row["method"]: ListedScore(*(_share(row[key]) for key in ("ua", "ua_low", "ua_high")))
            for row in csv.DictReader(text.splitlines())
        }
    except (OSError, KeyError, TypeError, ValueError, csv.Error):
        return {}


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(f"{text} is not between 0 and 1")
    return value
