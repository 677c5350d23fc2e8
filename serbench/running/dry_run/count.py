"""Counts what a run would compute, and how much of it is in the cache."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from serbench.api import FrontEnd, Teacher
from serbench.data.corpus.table import Speech
from serbench.learning.extract import frame_files, frames_by
from serbench.learning.features import Frames
from serbench.learning.fit.task import FitTask, InitialState
from serbench.learning.teach.embeddings import TeacherEmbeddings
from serbench.learning.teach.targets import TeacherSignal
from serbench.protocol.guard.view import PartitionView
from serbench.protocol.splits.records import Split
from serbench.running.harness.embeddings import is_embedded
from serbench.running.harness.inputs import Loader
from serbench.running.harness.nested import Nested
from serbench.running.harness.pretrained import pretrainings
from serbench.running.harness.results import KeptFit, kept_fit
from serbench.running.harness.targets import head_jobs
from serbench.running.harness.tasks import FitPlace, TaskMaker
from serbench.running.plan.records import Candidate, MethodPlan
from serbench.running.store.cache import FitCache

Kind = Literal["features", "embeddings", "heads", "pretraining", "inner", "refit"]

MISSING = "not computed yet"
"""Stands for the digest of embeddings that are not in the cache: no address of a fit
contains it.
"""


@dataclass(frozen=True)
class Piece:
    """Something that a run computes, or ``count`` pieces of the same kind and size.

    Attributes:
        name: of the front end, the teacher or the method.
        size: seconds of speech of a pass or a pretraining; training utterances of a fit or a head.
        candidate: the candidate of a fit or a pretraining.
        epochs: number of epochs of each fit or pretraining.
        kept: whether it is in the cache.
        canary: whether it belongs to a canary.
    """

    kind: Kind
    name: str
    size: float
    candidate: Candidate | None = None
    epochs: int = 0
    count: int = 1
    kept: bool = False
    canary: bool = False


class Looking(Loader):
    """A loader that computes nothing: if frames and embeddings are not in the cache,
    they stay empty.

    Attributes:
        passes: every pass over speech that the run needs.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # pyright: ignore[reportArgumentType]
        self.passes: list[Piece] = []

    def frames(self, speech: Speech, front_end: FrontEnd, stage: str) -> Frames:
        """See ``Loader``."""
        files = frame_files(speech, front_end, self.cache)
        self._note("features", front_end.name, speech, files.complete)
        if files.complete:
            return super().frames(speech, front_end, stage)
        ids = _ids(speech)
        empty = np.zeros((1, 1), np.float32), np.zeros(len(ids), np.int64)
        return frames_by(front_end, ids, *empty, files.path.name)

    def embeddings(
        self, teacher: Teacher, name: str, speech: Speech, stage: str
    ) -> TeacherEmbeddings:
        """See ``Loader``."""
        kept = is_embedded(teacher, speech, self.cache)
        self._note("embeddings", name, speech, kept)
        if kept:
            return super().embeddings(teacher, name, speech, stage)
        ids = _ids(speech)
        none, one = np.zeros(len(ids), np.int64), np.zeros((1, 1, 1))
        pooled = np.zeros((len(ids), 1, 1), np.float32)
        return TeacherEmbeddings(
            name, teacher.card, ids, pooled, one.astype(np.float16), none, none, 1.0, MISSING
        )

    def _note(self, kind: Kind, name: str, speech: Speech, kept: bool) -> None:
        seconds = sum(each.duration_s for each in speech.utterances)
        self.passes.append(Piece(kind, name, seconds, kept=kept))


def _ids(speech: Speech) -> tuple[str, ...]:
    return tuple(each.id for each in speech.utterances)


class Counted(Nested):
    """The nested loops of a run, which only count the fits."""

    def maker(self) -> TaskMaker:
        """A maker of tasks that have an address, but no data to train on."""
        return _Addresses(
            self.plan, self.inputs, self.views, {}, _AnyState(), self.resources.device
        )

    def pieces(self) -> Iterator[Piece]:
        """The pieces of everything after the passes over speech."""
        plan, cache = self.plan, self.resources.cache
        for key, task in pretrainings(plan, self.inputs, self.resources.device).items():
            assert self.inputs.pretrain is not None, "it is what a pretraining hears"
            name = task.name.partition("/")[0]
            yield Piece(
                "pretraining", name, self.inputs.pretrain.audio.duration_s,
                _candidate_of(plan.method(name), task.settings), task.settings.pretrain.epochs,
                kept=FitCache(cache, "pretraining").path(key).is_file(), canary=self.is_canary,
            )  # fmt: skip
        _, jobs = head_jobs(
            self.inputs.embeddings, self.taught() if self.inputs.embeddings else {}, self.heads,
            len(self.inputs.table.labels),
        )  # fmt: skip
        kept_heads = FitCache(cache, "soft-targets")
        for address, job in jobs.items():
            yield Piece(
                "heads", job.embeddings.name, len(job.view.ids),
                kept=kept_heads.path(address).is_file(), canary=self.is_canary,
            )  # fmt: skip
        yield from self._fits()

    def _fits(self) -> Iterator[Piece]:
        schedule = self.schedule()
        new, _ = schedule.grow(schedule.choices.values())
        made = {task.name for task in new}
        known: Counter[tuple[str, int, int]] = Counter()
        for place, task in schedule.tasks.items():
            known[place.method, place.seed, place.outer] += place.inner is not None
            kept = task.key not in schedule.places
            if kept or task.name in made:  # others are counted already, under another name
                yield self._piece(place, len(task.train.ids), task.epochs, kept=kept)
        for choice in schedule.choices.values():
            if choice.refit is not None:
                continue
            at = choice.method.name, choice.seed, choice.outer
            later = self.inner_fits(choice.method, choice.outer) - known[at]
            size = len(self.outer[choice.outer].train.ids)
            yield replace(self._piece(FitPlace(*at, 0, 0), size), count=later)
            yield self._piece(FitPlace(*at, 0), size)

    def _piece(
        self, place: FitPlace, size: int, epochs: int | None = None, *, kept: bool = False
    ) -> Piece:
        candidate = self.plan.method(place.method).candidates[place.candidate]
        if epochs is None:
            epochs = 0 if candidate.estimates else candidate.settings.training.epochs
        kind = "refit" if place.inner is None else "inner"
        canary = self.is_canary
        return Piece(kind, place.method, size, candidate, epochs, kept=kept, canary=canary)

    def _kept(self, place: FitPlace, task: FitTask) -> KeptFit | None:  # noqa: ARG002 - nothing is written
        fit = kept_fit(self.cache, task)
        return None if fit is None else replace(fit, state={}, readings={})


def _candidate_of(method: MethodPlan, settings: object) -> Candidate:
    return next(each for each in method.candidates if each.settings is settings)


class _Addresses(TaskMaker):
    def make(self, place: FitPlace, split: Split, epochs: int | None = None) -> FitTask:
        return self.proper(place, split, epochs)

    def _teachers(self, train: PartitionView, candidate: Candidate) -> tuple[TeacherSignal, ...]:  # noqa: ARG002 - no address depends on it
        return ()


class _AnyState(Mapping[str, InitialState]):
    """Stands for the weights of every pretraining; no task is trained from them."""

    def __getitem__(self, key: str) -> InitialState:
        return InitialState({}, {})

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0
