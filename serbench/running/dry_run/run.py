"""A dry run: what a run would compute, how long it would take, and whether there is room for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from serbench.api import TeacherError
from serbench.files.atomic import check_writable
from serbench.files.cache_use import using_cache
from serbench.running.dry_run.count import Counted, Looking, Piece
from serbench.running.dry_run.estimate import Estimate
from serbench.running.dry_run.sample import take_samples
from serbench.running.harness.describe import describe, run_folder
from serbench.running.harness.folds import Folds
from serbench.running.harness.inputs import Inputs
from serbench.running.harness.observer import Observer
from serbench.running.harness.prepare import prepare
from serbench.running.harness.resources import Resources
from serbench.running.plan.records import RunPlan
from serbench.running.store.run import RunStore

State = Literal["finished", "begun", "new"]

KINDS = {
    "features": "Features",
    "embeddings": "Teacher embeddings",
    "heads": "Teacher heads",
    "pretraining": "Pretrainings",
    "inner": "Inner fits",
    "refit": "Refits",
}
"""Kinds of pieces, in the order of a run."""


@dataclass(frozen=True)
class Step:
    """One step of a run.

    Attributes:
        todo, kept: numbers of pieces to compute, and of pieces in the cache.
        seconds: estimated duration.
    """

    name: str
    todo: int
    kept: int
    seconds: float


@dataclass(frozen=True)
class Room:
    """Free space on a folder's disk, and the space that the run needs there."""

    folder: Path
    needed_bytes: float
    free_bytes: int

    @property
    def enough(self) -> bool:
        """Whether the free space is enough."""
        return self.needed_bytes <= self.free_bytes


@dataclass(frozen=True)
class DryRun:
    """Result of a dry run: what the run would do.

    Attributes:
        folder: the run's folder.
        state: whether that folder has a finished run, an unfinished run, or no run.
        steps: the steps of the run in their order; those without pieces are left out.
        workers: number of items that are computed at the same time.
        at_most: whether early stopping or the search may save fits or epochs.
        sample: training utterances of the timed sample; 0: nothing had to be timed.
        sample_s: seconds that the sample took.
        start_s: seconds until all workers have started.
        memory_bytes: memory of the command and of each worker; None: unknown.
        room: space for the cache and for the run's folder.
    """

    digest: str
    folder: Path
    state: State
    steps: tuple[Step, ...]
    workers: int
    at_most: bool
    sample: int
    sample_s: float
    start_s: float
    memory_bytes: tuple[float, float] | None
    room: tuple[Room, ...]

    @property
    def seconds(self) -> float:
        """Estimated duration of all steps, with the start of the workers."""
        return self.start_s + sum(step.seconds for step in self.steps)


def dry_run(plan: RunPlan, resources: Resources, watch: Observer) -> DryRun:
    """Find out what a run would do.

    The corpus is read and compared as in the run, and what was read is kept in the cache. A sample
    of a few utterances is then computed and timed; nothing of it is kept.

    Raises:
        SerbenchError: the run itself would also end with this error.
    """
    check_writable(resources.folder or resources.runs, "--out")
    with using_cache(resources.cache):
        prepared = prepare(plan, resources, watch)
        models = _models(plan)
        description = describe(plan, prepared, models, resources)
        folder = run_folder(plan, description["digest"], resources)
        looking = Looking(resources.cache, resources.device, watch)
        inputs = looking.load(plan, prepared.folds.table, prepared.audio, models)
        pieces = [*looking.passes, *_pieces(plan, inputs, prepared.folds, folder, resources)]
        samples = []
        if any(not piece.kept for piece in pieces):
            watch.announce("timing a sample of the run, for at most about a minute")
            try:
                samples = take_samples(plan, prepared.folds, prepared.audio, resources)
            finally:
                resources.executor.shut_down()
    utterances = prepared.folds.table.utterances
    mean_s = sum(each.duration_s for each in utterances) / len(utterances)
    estimate = Estimate(plan, samples, resources.executor.workers, mean_s) if samples else None
    return DryRun(
        digest=description["digest"],
        folder=folder,
        state=_state(folder),
        steps=tuple(_steps(pieces, estimate)),
        workers=resources.executor.workers,
        at_most=_at_most(plan, pieces),
        sample=samples[-1].size if samples else 0,
        sample_s=samples[-1].took_s if samples else 0.0,
        start_s=samples[-1].start_s if samples else 0.0,
        memory_bytes=estimate.memory_bytes(pieces) if estimate else None,
        room=_room(pieces, estimate, folder, resources) if estimate else (),
    )


def _models(plan: RunPlan) -> dict[str, str]:
    """Digests of all models.

    Raises:
        TeacherError: weights are not available; one message lists all that are missing.
    """
    found: dict[str, str] = {}
    missing: list[str] = []
    for name, model in {**plan.teachers, **plan.heirs, **plan.listeners}.items():
        try:
            found[name] = model.model_digest
        except TeacherError as error:
            missing.append(str(error))
    if missing:
        raise TeacherError("\n".join(missing))
    return found


def _pieces(
    plan: RunPlan, inputs: Inputs, folds: Folds, folder: Path, resources: Resources
) -> Iterator[Piece]:
    store, watch = RunStore(folder), Observer()
    if plan.canary is not None:
        for repeat in range(1, plan.protocol.canary + 1):
            yield from Counted(plan.canary, inputs, folds, store, resources, watch, repeat).pieces()
    yield from Counted(plan, inputs, folds, store, resources, watch).pieces()


def _state(folder: Path) -> State:
    store = RunStore(folder)
    if not store.has("plan.json"):
        return "new"
    return "finished" if store.has("certificate.json") and store.has("timing.json") else "begun"


def _steps(pieces: Sequence[Piece], estimate: Estimate | None) -> Iterator[Step]:
    groups = {
        name: [p for p in pieces if p.kind == kind and not p.canary] for kind, name in KINDS.items()
    }
    for name, own in groups.items():
        yield from _step(name, own, [own], estimate)
    canary = [piece for piece in pieces if piece.canary]
    yield from _step(
        "Canary", canary, [[p for p in canary if p.kind == k] for k in KINDS], estimate
    )


def _step(
    name: str, pieces: Sequence[Piece], parts: Sequence[Sequence[Piece]], estimate: Estimate | None
) -> Iterator[Step]:
    if not pieces:
        return
    todo = sum(piece.count for piece in pieces if not piece.kept)
    kept = sum(piece.count for piece in pieces if piece.kept)
    seconds = sum(estimate.wall_s(part) for part in parts) if estimate else 0.0
    yield Step(name, todo, kept, seconds)


def _at_most(plan: RunPlan, pieces: Sequence[Piece]) -> bool:
    candidates = [piece.candidate for piece in pieces if piece.candidate and not piece.kept]
    stops = any(c.settings.training.early_stopping for c in candidates if not c.estimates)
    return stops or (bool(candidates) and plan.protocol.strategy != "grid")


def _room(
    pieces: Sequence[Piece], estimate: Estimate, folder: Path, resources: Resources
) -> tuple[Room, ...]:
    """The space on each disk that the run writes to."""
    needed = {
        resources.cache: estimate.disk_bytes(pieces, "cache"),
        folder: estimate.disk_bytes(pieces, "run"),
    }
    disks: dict[int, Room] = {}
    for place, size in needed.items():
        there = next(each for each in (place, *place.absolute().parents) if each.is_dir())
        disk = there.stat().st_dev
        before = disks[disk].needed_bytes if disk in disks else 0.0
        first = disks[disk].folder if disk in disks else place
        disks[disk] = Room(first, before + size, shutil.disk_usage(there).free)
    return tuple(disks.values())
