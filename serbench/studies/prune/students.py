"""A run's students, pruned and fine-tuned inside their folds: one fit for each student and cut.

Each fit is kept as soon as it is done, so that a stopped command continues where it stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from serbench.api import StoreError
from serbench.files.source import core_digest
from serbench.learning.features import Normaliser
from serbench.learning.fit.predict import predict
from serbench.learning.fit.task import FitResult, FitTask
from serbench.learning.front_ends import frames_of
from serbench.learning.teach.targets import TeacherSignal, signals
from serbench.protocol.guard.view import FittedRecord, id_set_digest
from serbench.running.executors.executor import Executor
from serbench.running.harness.code import FIT, HEAD, backend_identity, fit_identity, plugin_digests
from serbench.running.harness.targets import fit_targets
from serbench.running.harness.views import Views
from serbench.running.plan.records import digest_of, stable_seed
from serbench.running.replay.run import Replay
from serbench.running.replay.students import StoredStudent
from serbench.running.store.cache import FitCache, FitRecord
from serbench.studies.prune.choices import Cut, Tuning
from serbench.studies.prune.groups import Draft
from serbench.studies.prune.network import Pruned, Pruner
from serbench.studies.prune.size import Size, size_of

CODE = tuple(
    f"studies/prune/{name}.py"
    for name in ("choices", "groups", "magnitude", "network", "size", "students", "widths")
)
"""Modules that decide what a pruned student is and predicts."""

Posteriors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CutPosteriors:
    """Predictions of a student for its own test side.

    Attributes:
        ids: the U utterances.
        posteriors: ``(U, C)``, after cut and fine-tuning; those of the run for a whole student.
        untuned: ``(U, C)``, after the cut, before fine-tuning.
        size: size of the finished network.
        fitted: the data on which it was fine-tuned.
    """

    ids: tuple[str, ...]
    posteriors: Posteriors
    untuned: Posteriors
    size: Size
    fitted: tuple[FittedRecord, ...] = ()


def pruner_of(student: StoredStudent) -> Pruner:
    """A pruner of a stored student's network, which is not changed."""
    network = deepcopy(student.module).cpu()
    return Pruner(Draft(student.candidate.student, network, student.shape), student.name)


def whole_reading(replay: Replay, student: StoredStudent) -> CutPosteriors:
    """The predictions of the run's own student.

    Raises:
        StoreError: these are not the predictions that the run has kept.
    """
    frames = replay.frames(student.candidate.front_end)
    ids, posteriors = replay.predict_kept(student, frames, replay.segments(student))
    replay.check_same(student, ids, posteriors)
    network = deepcopy(student.module).cpu()
    return CutPosteriors(ids, posteriors, posteriors, _size(network, student))


def _size(network: nn.Module, student: StoredStudent) -> Size:
    candidate = student.candidate
    frames = frames_of(candidate.front_end, candidate.settings.segments.window_s)
    return size_of(network, student.shape, frames)


class Tuner:
    """Fine-tunes cut students, each inside its own fold.

    Args:
        replay: the run.
        students: students of one method.
        tuning: number of epochs and learning rate.
        executor: where fits are computed.
    """

    def __init__(
        self, replay: Replay, students: Sequence[StoredStudent], tuning: Tuning, executor: Executor
    ) -> None:
        self.replay = replay
        self.students = {student.name: student for student in students}
        self.tuning = tuning
        self.executor = executor
        self.cache = FitCache(replay.cache, "prune")
        self.backend = replay.stored.backend()
        self.views = Views(replay.table, replay.folds.outer)
        self._weights = {student.name: student.weights_digest for student in students}

    def readings(
        self, pruned: Mapping[tuple[Cut, str], Pruned]
    ) -> dict[tuple[Cut, str], CutPosteriors]:
        """Predictions of cut students for their test sides, before and after fine-tuning, by cut
        and name.

        Raises:
            StoreError: a student's weights are damaged.
            TeacherError: a teacher of the run cannot be loaded.
            SerbenchError: a loss is not finite.
        """
        keys = {place: self._key(*place) for place in pruned}
        missing = {place: key for place, key in keys.items() if self.cache.get(key) is None}
        tasks = self._tasks(pruned, missing)
        places = {task.key: place for place, task in tasks.items()}
        watch = self.replay.watch
        watch.fits_planned(list(tasks.values()), len(keys) - len(tasks))
        for result in self.executor.fits(list(tasks.values()), watch.epoch):
            self._keep(places[result.key], tasks[places[result.key]], result)
            watch.fit_done(result)
        return {place: reading_of(self.cache.written(key)) for place, key in keys.items()}

    def _tasks(
        self, pruned: Mapping[tuple[Cut, str], Pruned], missing: Mapping[tuple[Cut, str], str]
    ) -> dict[tuple[Cut, str], FitTask]:
        # Shared by all fits on a training side, because they can be large.
        named = dict.fromkeys(name for _, name in missing)
        teachers = {name: self._signals(self.students[name]) for name in named}
        return {
            (cut, name): self._task(
                self.students[name], cut, pruned[cut, name], key, teachers[name]
            )
            for (cut, name), key in missing.items()
        }

    def _task(
        self,
        student: StoredStudent,
        cut: Cut,
        pruned: Pruned,
        key: str,
        teachers: tuple[TeacherSignal, ...],
    ) -> FitTask:
        """A refit of the fold that starts from the cut network, with the method's own loss."""
        replay, candidate = self.replay, student.candidate
        split = replay.folds.outer[student.outer - 1]
        settings = self.tuning.settings(candidate.settings)
        return FitTask(
            name=f"{student.name}/{cut.name}",
            key=key,
            method=student.method,
            student=pruned,
            loss=candidate.loss,
            settings=settings,
            front_end=candidate.front_end,
            num_classes=len(replay.table.labels),
            train=self.views.make(student.outer - 1, split.train),
            validation=None,
            segments=replay.segments(student),
            features=replay.frames(candidate.front_end),
            teachers=teachers,
            backend=self.backend,
            epochs=self.tuning.epochs,
            seed=self._seed(student),
            device=str(replay.device),
        )

    def _seed(self, student: StoredStudent) -> int:
        """Seed of windows, masks and dropout; the same for every cut of a student."""
        split = self.replay.folds.outer[student.outer - 1]
        return stable_seed("prune", self.replay.table.digest, split.train.name, student.seed)

    def _signals(self, student: StoredStudent) -> tuple[TeacherSignal, ...]:
        """The teachers' signals for a student's training side, as the run fitted the teachers."""
        replay, needs = self.replay, student.candidate.needs
        if not needs:
            return ()
        embeddings = {name: replay.embeddings(name) for name in replay.teachers}
        split, head = replay.folds.outer[student.outer - 1], student.candidate.settings.head
        view = self.views.make(student.outer - 1, split.train)
        classes = len(replay.table.labels)
        targets = fit_targets(
            embeddings, {view.name: view}, [head], classes, replay.cache, self.executor
        )
        return signals(embeddings, targets, view, head, needs)

    def _keep(self, place: tuple[Cut, str], task: FitTask, result: FitResult) -> None:
        """Keep a fit, and the student's predictions before it."""
        student, pruned = self.students[place[1]], task.student
        assert isinstance(pruned, Pruned)
        self._check_fitted(student, result)
        network = pruned.finished(
            {n: v for n, v in result.state.items() if not n.startswith("normaliser.")}
        )
        facts = {
            "ids": list(result.ids),
            "size": asdict(_size(network, student)),
            "fitted": [record.model_dump(mode="json") for record in result.fitted],
            "seconds": result.seconds,
        }
        untuned = self._untuned(student, task, pruned)
        self.cache.put(result.key, facts, {"posteriors": result.posteriors, "untuned": untuned})

    def _untuned(self, student: StoredStudent, task: FitTask, pruned: Pruned) -> Posteriors:
        """Predictions of the cut network before fine-tuning, with the run's normalisation."""
        device = torch.device(task.device)
        network = pruned.build(student.shape).to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        _, posteriors = predict(
            network, student.normaliser, task.features, task.segments, task.settings.segments,
            task.backend, device,
        )  # fmt: skip
        return posteriors

    def _check_fitted(self, student: StoredStudent, result: FitResult) -> None:
        """
        Raises:
            StoreError: the fit had another training side than the run's.
        """
        split = self.replay.folds.outer[student.outer - 1]
        digest = id_set_digest(split.train.ids)
        own = student.normaliser
        made = Normaliser(result.state["normaliser.mean"], result.state["normaliser.deviation"])
        same = all(
            torch.allclose(a, b, rtol=1e-3, atol=1e-4)
            for a, b in ((own.mean, made.mean), (own.deviation, made.deviation))
        )
        if not same or any(record.digest != digest for record in result.fitted):
            raise StoreError(
                f"{result.name} was not fitted on the same training side as {student.name}: the "
                "corpus or the front end has changed since the run was made"
            )

    def _key(self, cut: Cut, name: str) -> str:
        """Digest of everything that determines the predictions of a cut and fine-tuned student."""
        replay, student = self.replay, self.students[name]
        candidate, split = student.candidate, replay.folds.outer[student.outer - 1]
        needs = candidate.needs
        teachers = [[each, replay.embeddings(each).digest] for each in replay.teachers if needs]
        return digest_of(
            {
                "cut": [cut.kind, cut.amount],
                "weights": self._weights[name],
                **fit_identity(candidate, str(replay.device)),
                "tuning": self.tuning.settings(candidate.settings).model_dump(mode="json"),
                "corpus": replay.table.digest,
                "features": replay.frames(candidate.front_end).digest,
                "train": list(split.train.ids),
                "test": list(split.test.ids),
                "teachers": teachers,
                "seed": self._seed(student),
                "backend": backend_identity(self.backend),
                "code": [
                    core_digest(CODE),
                    core_digest(FIT),
                    core_digest(HEAD) if needs else "",
                    *plugin_digests(candidate),
                ],
            }
        )


def reading_of(record: FitRecord) -> CutPosteriors:
    """The predictions in a record of the cache."""
    facts = record.json
    return CutPosteriors(
        ids=tuple(facts["ids"]),
        posteriors=record.arrays["posteriors"],
        untuned=record.arrays["untuned"],
        size=Size(**facts["size"]),
        fitted=tuple(FittedRecord.model_validate(each) for each in facts["fitted"]),
    )
