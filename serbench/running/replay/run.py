"""A finished run that can predict again: corpus, folds, students, teachers' heads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from serbench.api import FrontEnd, LeakageError, StoreError, Teacher
from serbench.data.corpus.table import CorpusTable
from serbench.learning.extract import speech_frames
from serbench.learning.features import Frames
from serbench.learning.segments import Segment, segment_partition
from serbench.learning.teach.embeddings import TeacherEmbeddings
from serbench.learning.teach.heads import Head
from serbench.protocol.guard.certificate import Certificate
from serbench.protocol.guard.near.search import near_duplicates
from serbench.running.harness.folds import Folds, make_folds
from serbench.running.harness.observer import Observer
from serbench.running.plugins import Plugins
from serbench.running.registry.lookup import Registry
from serbench.running.replay.check import (
    changed_code,
    check_folds,
    check_ledger,
    check_same_corpus,
    check_weights,
    kept_posteriors,
    largest_gap,
)
from serbench.running.replay.stored import StoredPlan, fold_source, read_corpus
from serbench.running.replay.students import StoredStudent, predict_kept, stored_students
from serbench.running.replay.teachers import fold_head, run_embeddings, run_teacher
from serbench.running.store.cache import FitCache
from serbench.running.store.finished import StoredRun, load_run
from serbench.running.store.run import TEACHER_PREFIX, RunStore

POST_HOC = (
    "Post hoc: an analysis of models that were already trained, chosen and scored. Nothing was "
    "chosen with it, and nothing may be chosen with it."
)
"""Note below every result of a replay."""


@dataclass(frozen=True)
class Replay:
    """A finished run, opened to predict again. None of the run's own files is changed.

    Attributes:
        run: content of the run folder.
        stored: the run's plan, with the installed plugins.
        folds: the outer folds, recomputed and identical to the run's; no inner folds.
        students: by method, seed and outer fold.
        notes: remarks that readers of any replayed result need.
    """

    run: StoredRun
    stored: StoredPlan
    folds: Folds
    students: tuple[StoredStudent, ...]
    notes: tuple[str, ...]
    cache: Path
    device: torch.device
    watch: Observer
    _embeddings: dict[str, TeacherEmbeddings] = field(default_factory=dict, repr=False)
    _heads: dict[tuple[str, int], Head] = field(default_factory=dict, repr=False)
    _frames: dict[FrontEnd, Frames] = field(default_factory=dict, repr=False)

    @classmethod
    def open(
        cls,
        folder: Path,
        registry: Registry,
        plugins: Plugins,
        *,
        data_dir: Path | None,
        cache: Path,
        watch: Observer,
        device: str = "cpu",
    ) -> Replay:
        """Read a run, find its corpus, and recompute its folds.

        Args:
            folder: folder of a finished run.
            registry: registry with the locations of corpora and teachers.
            plugins: the installed plugins.
            data_dir: the corpus's folder, if ``locate`` does not find it.
            cache: root of the cache of frames, embeddings, heads and fingerprints.
            watch: receives progress.
            device: device of students and teachers.

        Raises:
            StoreError: the folder has no finished run, a file of it is damaged or missing, or it
                contradicts its own ledger.
            CorpusError: the corpus is not available, or differs from the run's corpus.
            PluginError: a plugin of the run is not installed.
        """
        run = load_run(folder, folder.resolve().name)
        store = RunStore(folder)
        stored = StoredPlan.read(store, plugins, registry)
        students = stored_students(stored, store)
        check_weights(folder, students)
        check_ledger(store, run.tested, stored.plan["dataset"]["labels"])
        table = read_corpus(stored, data_dir, cache, watch)
        check_same_corpus(store, table, dropped=stored.protocol.duplicates == "drop")
        near = near_duplicates(table.utterances, cache, partial(watch.advance, "near-duplicates"))
        source = fold_source(stored.plan, folder)
        folds = make_folds(table, source, stored.protocol, near, search=False)
        check_folds(stored, folds)
        notes = (POST_HOC, *changed_code(stored, students))
        return cls(run, stored, folds.headline, students, notes, cache, torch.device(device), watch)

    @property
    def store(self) -> RunStore:
        """The run's folder."""
        return RunStore(self.run.folder)

    @property
    def plan(self) -> dict[str, Any]:
        """``plan.json``."""
        return self.run.plan

    @property
    def certificate(self) -> Certificate:
        """The run's own certificate."""
        return self.run.certificate

    @property
    def table(self) -> CorpusTable:
        """The corpus, without the copies that the run left out."""
        return self.folds.table

    @property
    def teachers(self) -> tuple[str, ...]:
        """Names of the run's teachers."""
        return tuple(self.plan["teachers"])

    @property
    def methods(self) -> tuple[str, ...]:
        """All methods of the run, in the plan's order, then its teachers as ``teacher:NAME``."""
        planned = (str(method["name"]) for method in self.plan["methods"])
        return (*planned, *(TEACHER_PREFIX + name for name in self.teachers))

    def students_of(self, methods: Iterable[str] | None = None) -> tuple[StoredStudent, ...]:
        """The students of some methods; all students if ``methods`` is None or empty.

        Raises:
            StoreError: the run has no student of a method.
        """
        there = tuple(dict.fromkeys(student.method for student in self.students))
        wanted = tuple(methods or there)
        unknown = [name for name in wanted if name not in there]
        if unknown:
            raise StoreError(
                f"{self.run.name} has no student of {', '.join(unknown)}; its methods: "
                f"{', '.join(there)}"
            )
        return tuple(student for student in self.students if student.method in wanted)

    def fold_students(
        self, method: str | None = None, seeds: Iterable[int] = ()
    ) -> tuple[StoredStudent, ...]:
        """A method's students, one for each of some seeds and outer folds.

        Args:
            method: name of the method; None: the run's first method.
            seeds: seeds of the run; empty: the first seed.

        Raises:
            StoreError: no such method or seed, or a fold without a student.
        """
        known = list(self.plan["seeds"])
        wanted = set(seeds) or set(known[:1])
        if unknown := sorted(wanted.difference(known)):
            raise StoreError(
                f"{self.run.name} has no seed {unknown[0]}; its seeds: {', '.join(map(str, known))}"
            )
        there = self.students_of([method or self.students[0].method])
        chosen = tuple(student for student in there if student.seed in wanted)
        folds = range(1, len(self.folds.outer) + 1)
        places = {(seed, fold) for seed in wanted for fold in folds}
        if missing := sorted(places - {(each.seed, each.outer) for each in chosen}):
            seed, fold = missing[0]
            raise StoreError(
                f"{self.run.folder} has no record of the student of {there[0].method}, outer fold "
                f"{fold}, seed {seed}; run the same command again to have it"
            )
        return chosen

    def fold_networks(
        self, method: str | None = None, seeds: Iterable[int] = ()
    ) -> tuple[StoredStudent, ...]:
        """Students of ``fold_students`` that are networks, which can be exported or pruned.

        Raises:
            StoreError: as ``fold_students``; the method is an estimator.
        """
        students = self.fold_students(method, seeds)
        if students[0].candidate.estimates:
            raise StoreError(
                f"{students[0].method} is an estimator for whole utterances, which cannot be "
                "exported, deployed or pruned; name another method with --method"
            )
        return students

    def check_proper(self) -> None:
        """
        Raises:
            StoreError: the run's protocol is broken on purpose.
        """
        if self.certificate.leaky:
            raise StoreError(
                f"{self.run.name} was run under {self.certificate.protocol}, which is broken on "
                "purpose: its scores only show how much a leak inflates them (`serbench "
                "inflation`); use a speaker-independent run"
            )

    def frames(self, front_end: FrontEnd) -> Frames:
        """Frames of the unchanged corpus, by a candidate's front end.

        Raises:
            CorpusError: an audio file can no longer be read.
            TeacherError: the weights of a model that the front end runs are not available.
        """
        if front_end not in self._frames:
            advance = partial(self.watch.advance, "features")
            self._frames[front_end] = speech_frames(self.table, front_end, self.cache, advance)
        return self._frames[front_end]

    def segments(
        self, student: StoredStudent, overlap_s: float | None = None
    ) -> tuple[Segment, ...]:
        """Windows of a student's outer test side. If ``overlap_s`` is None, the overlap is that of
        the run.

        Raises:
            RegistryError: the overlap leaves no hop between windows.
        """
        cutting = student.candidate.cutting
        if overlap_s is not None:
            cutting = replace(cutting, overlap_s=overlap_s)
        return segment_partition(self.table, self.folds.outer[student.outer - 1].test, cutting)

    def predict_kept(
        self, student: StoredStudent, frames: Frames, segments: Sequence[Segment]
    ) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """Utterance ids in order of appearance, and their mean posteriors ``(U, C)``; from the
        cache if they were predicted before.

        Args:
            student: one of ``students``.
            frames: of the corpus, or of perturbed audio, by the student's own front end;
                ``frames.digest`` must cover everything that they were computed from.
            segments: windows of that audio.

        Raises:
            StoreError: the student's weights are damaged or do not fit its code.
        """
        kept = FitCache(self.cache, "replays")
        return predict_kept(student, frames, segments, self.stored.backend(), self.device, kept)

    def stored_posteriors(self, method: str, outer: int, seed: int) -> pd.DataFrame:
        """The run's predictions: a row for each utterance of the fold's test side, by its id, and a
        column for each class in the order of the labels.

        Raises:
            StoreError: the run has no such predictions.
        """
        return kept_posteriors(self.run.predictions, self.table.labels, method, outer, seed)

    def check_same(
        self, student: StoredStudent, ids: Sequence[str], posteriors: NDArray[np.floating]
    ) -> float:
        """Compare posteriors of the unchanged test side with those that the run has stored.

        Args:
            student: their student.
            ids: ids of the U utterances of its test side.
            posteriors: ``(U, C)``.

        Returns:
            The largest difference.

        Raises:
            StoreError: it is larger than the arithmetic of another machine can cause.
        """
        kept = self.stored_posteriors(student.method, student.outer, student.seed)
        return largest_gap(student.name, kept, ids, posteriors)

    def teacher(self, name: str) -> Teacher:
        """A teacher's plugin with the weights of the run; they are not loaded yet.

        Raises:
            StoreError: the run has no such teacher, or its weights here differ.
            TeacherError: the weights are not available.
        """
        return run_teacher(self.stored, name)

    def embeddings(self, name: str) -> TeacherEmbeddings:
        """A teacher's embeddings of the unchanged corpus, from the cache if possible.

        Raises:
            StoreError, TeacherError: as ``teacher``.
        """
        if name not in self._embeddings:
            self._embeddings[name] = run_embeddings(
                self.stored, name, self.table, self.cache, self.device, self.watch
            )
        return self._embeddings[name]

    def teacher_head(self, name: str, outer: int) -> Head:
        """A teacher's head, fitted on an outer fold's training side as the run fitted it.

        Args:
            name: name of the teacher.
            outer: the fold, from 1.

        Raises:
            StoreError: as ``teacher`` and as ``check_proper``.
            TeacherError: as ``embeddings``.
        """
        self.check_proper()
        if (name, outer) not in self._heads:
            embeddings = self.embeddings(name)
            self._heads[name, outer] = fold_head(
                self.stored, self.folds, embeddings, outer, self.cache
            )
        return self._heads[name, outer]

    def labels_of(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Classes ``(U,)`` of outer test utterances, whose labels the run has already read.

        When the run is opened, the ledger is checked: the labels were read for every method and
        fold, with the stored predictions.

        Raises:
            LeakageError: L8, an utterance that no outer fold tested.
        """
        tested = {i for split in self.folds.outer for i in split.test.ids}
        if unread := sorted(set(ids) - tested):
            raise LeakageError("L8", "labels that the run has never read", unread)
        place = {utterance: row for row, utterance in enumerate(self.table.ids)}
        return self.table.label_index[[place[utterance] for utterance in ids]]
