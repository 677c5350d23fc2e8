"""The nested loops: inner fits choose, refits train on all of it, sealed test sides are scored.

All choices are made before any outer label is read; then a fold is scored when its refit is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from serbench.api import EpochEvent, FoldEvent, RunEvent
from serbench.files.cache_kinds import kind_folder
from serbench.learning.evaluate import score
from serbench.learning.fit.task import FitTask, InitialState
from serbench.learning.teach.targets import Target, TargetKey
from serbench.protocol.guard.seal import Seal, predictions_digest
from serbench.protocol.guard.view import FittedRecord
from serbench.protocol.splits.records import Split
from serbench.running.harness.folds import Folds, searches
from serbench.running.harness.inputs import Inputs
from serbench.running.harness.leaky import choosing_folds, leak_of_student, leaky_records
from serbench.running.harness.observer import Observer
from serbench.running.harness.pretrained import pretrain_all
from serbench.running.harness.resources import Resources
from serbench.running.harness.results import (
    KeptFit,
    history,
    keep,
    kept_fit,
    prediction_rows,
    reading_arrays,
    record_of,
)
from serbench.running.harness.targets import (
    fit_targets,
    hear_crops,
    label_audio,
    teacher_posteriors,
)
from serbench.running.harness.tasks import FitPlace, TaskMaker
from serbench.running.harness.views import Views
from serbench.running.plan.records import MethodPlan, RunPlan
from serbench.running.store.cache import FitCache
from serbench.running.store.run import TEACHER_PREFIX, RunStore
from serbench.settings import EPOCH_ON_TEST


class Nested:
    """The nested loops of one run, and their state.

    Args:
        plan: the run's plan.
        inputs: corpus, frames, embeddings.
        folds: over the same corpus.
        store: the run's folder.
        resources: devices, folders and workers.
        watch: receives progress.
        permutation: for a canary, the number of its permutation of the training labels; None: true
            labels.
    """

    def __init__(
        self,
        plan: RunPlan,
        inputs: Inputs,
        folds: Folds,
        store: RunStore,
        resources: Resources,
        watch: Observer,
        permutation: int | None = None,
    ) -> None:
        self.plan = plan
        self.inputs = inputs
        self.outer = folds.outer
        self.inner = folds.inner
        self.views = Views(folds.table, folds.outer, permutation)
        self.is_canary = permutation is not None
        self.store = store
        self.resources = resources
        self.watch = watch
        self.cache = FitCache(resources.cache, "fits")
        self.targets: dict[TargetKey, Target] = {}
        self.initial: dict[str, InitialState] = {}
        self.fitted: list[FittedRecord] = []
        self.fresh_fit_s = self.fresh_step_s = 0.0
        self.fits_run = self.fits_cached = 0
        self.heads = list(
            dict.fromkeys(
                candidate.settings.head
                for method in plan.methods
                if plan.uses_teachers(method)
                for candidate in method.candidates
            )
        )

    @property
    def event(self) -> RunEvent:
        """The run as trackers receive it."""
        fits = sum(
            1 + self._searches(method) * len(method.candidates) * len(self._choosing(index))
            for method, _, index in self.places()
        )
        plan = self.store.plan()
        return RunEvent(self.store.folder, plan["digest"], fits, plan)

    def pretrain(self) -> None:
        """Weights that fits start from, if students are pretrained."""
        where = self.resources
        self.initial = pretrain_all(
            self.plan, self.inputs, where.cache, where.executor, where.device, self.watch
        )

    def ask_teachers(self) -> None:
        """The teachers' soft targets, for every training partition."""
        self.targets = self.fit_targets()

    def fit_targets(self) -> dict[TargetKey, Target]:
        """Soft targets of every teacher for every training partition that a fit uses."""
        if not self.inputs.embeddings:
            return {}
        wanted = list(enumerate(self.outer))
        if any(method.uses_teachers and searches(method) for method in self.plan.methods):
            wanted += [(n, split) for n, below in enumerate(self.inner) for split in below]
        views = {split.train.name: self.views.make(n, split.train) for n, split in wanted}
        classes, where = len(self.inputs.table.labels), self.resources
        targets = fit_targets(
            self.inputs.embeddings, views, self.heads, classes, where.cache, where.executor
        )
        candidates = [each for method in self.plan.methods for each in method.candidates]
        asking = [each.settings.head for each in candidates if each.unlabelled]
        if asking and self.inputs.pretrain is not None:
            targets = label_audio(
                self.inputs.embeddings, self.inputs.pretrain.embeddings, views, targets, asking,
                classes, where.cache, where.executor,
            )  # fmt: skip
        targets = hear_crops(
            self.inputs.embeddings,
            {recipe: heard.embeddings for recipe, heard in self.inputs.crops.items()},
            views, targets, [(c.settings.head, c.crops) for c in candidates if c.crops and c.needs],
            classes, where.cache, where.executor,
        )  # fmt: skip
        self.fitted += [record for target in targets.values() for record in target.fitted]
        return targets

    def places(self) -> list[tuple[MethodPlan, int, int]]:
        """Every (method, seed, outer fold)."""
        return [
            (method, seed, index)
            for method in self.plan.methods
            for seed in range(self.plan.protocol.seeds)
            for index in range(len(self.outer))
        ]

    def choose(self) -> list[tuple[FitPlace, int | None]]:
        """Inner loops: the best candidate of each place, and the refit's epochs."""
        maker = self._maker()
        tasks: dict[FitPlace, FitTask] = {}
        for method, seed, index in self.places():
            if not self._searches(method):
                continue
            for candidate in range(len(method.candidates)):
                for number, split in enumerate(self._choosing(index)):
                    place = FitPlace(method.name, seed, index, candidate, number)
                    tasks[place] = maker.make(place, split)
        done = self.fit_all(tasks)
        chosen: list[tuple[FitPlace, int | None]] = []
        for method, seed, index in self.places():
            best, epochs = 0, None
            if self._searches(method):
                inner = {
                    candidate: [
                        done[FitPlace(method.name, seed, index, candidate, number)]
                        for number in range(len(self._choosing(index)))
                    ]
                    for candidate in range(len(method.candidates))
                }
                means = {c: _mean_ua(fits) for c, fits in inner.items()}
                best = max(means, key=lambda c: (means[c], -c))
                stops = method.candidates[best].settings.training.early_stopping
                if stops and not self._epoch_on_test:
                    epochs = round(float(np.mean([fit.best_epoch for fit in inner[best]])))
            chosen.append((FitPlace(method.name, seed, index, best), epochs))
        return chosen

    @property
    def _epoch_on_test(self) -> bool:
        """Whether the test side chooses the epoch, among all, so that inner folds need not."""
        return self.plan.protocol.name in EPOCH_ON_TEST

    def _searches(self, method: MethodPlan) -> bool:
        """Whether inner folds have anything to choose for a method."""
        return searches(method) and not (self._epoch_on_test and len(method.candidates) == 1)

    def _choosing(self, index: int) -> Sequence[Split]:
        inner = self.inner[index] if self.inner else ()
        return choosing_folds(self.plan.protocol.name, self.outer[index], inner)

    def refit(self, chosen: Sequence[tuple[FitPlace, int | None]]) -> list[pd.DataFrame]:
        """Fit each chosen candidate on the whole outer training side, and score it when it is done.

        Returns:
            The rows of each, in the order of ``chosen``.
        """
        maker = self._maker()
        tasks = {
            place: maker.make(place, self.outer[place.outer], epochs) for place, epochs in chosen
        }
        rows: dict[FitPlace, pd.DataFrame] = {}

        def score_now(fits: Mapping[FitPlace, KeptFit | None]) -> None:
            for at, fit in fits.items():
                if fit:
                    rows[at] = self._score(at.method, at.seed, at.outer, fit.ids, fit.posteriors)

        self.fit_all(tasks, score_now)
        return [rows[place] for place in tasks]

    def _maker(self) -> TaskMaker:
        return TaskMaker(
            self.plan, self.inputs, self.views, self.targets, self.initial, self.resources.device
        )

    def fit_all(
        self,
        tasks: Mapping[FitPlace, FitTask],
        then: Callable[[Mapping[FitPlace, KeptFit | None]], None] = lambda _: None,
    ) -> dict[FitPlace, KeptFit]:
        """Run the tasks that are not kept yet; keep each as soon as it is done.

        ``then`` gets those that were kept already (the others are None), then each that is done.
        """
        done = {place: self._kept(place, task) for place, task in tasks.items()}
        todo = [task for place, task in tasks.items() if done[place] is None]
        places: dict[str, list[FitPlace]] = {}
        for place, task in tasks.items():
            places.setdefault(task.key, []).append(place)
        todo = list({task.key: task for task in todo}.values())
        self.fits_cached += len(tasks) - len(todo)
        self.fits_run += len(todo)
        self.watch.fits_planned(todo, len(tasks) - len(todo))
        self._tell_again(tasks, done)
        then(done)
        begun = kind_folder(self.resources.cache, "checkpoints")
        todo = [replace(task, checkpoint=begun / f"{task.key}.pt") for task in todo]
        for result in self.resources.executor.fits(todo, self._tell):
            refit = any(place.inner is None for place in places[result.key])
            keep(self.cache, result, refit=refit)
            (begun / f"{result.key}.pt").unlink(missing_ok=True)
            self.fresh_fit_s += result.seconds
            self.fresh_step_s += result.step_seconds
            self.watch.fit_done(result)
            shared = {place: self._kept(place, tasks[place]) for place in places[result.key]}
            done |= shared
            self._tell_again(tasks, {p: fit for p, fit in shared.items() if p.name != result.name})
            then(shared)
        complete = {place: fit for place, fit in done.items() if fit is not None}
        for place, fit in complete.items():
            self.store.write_fit(record_of(self.plan, place, tasks[place], fit))
            self.fitted += fit.fitted
            if place.inner is None:
                method = self.plan.method(place.method)
                leak = leak_of_student(
                    self.plan.protocol.name,
                    method.candidates[place.candidate],
                    searched=self._searches(method),
                )
                self._note_leaks(f"student of {place.method}", leak, place.outer)
        return complete

    def _tell(self, event: EpochEvent) -> None:
        """Send an epoch that was trained now, or one of a stopped fit that continues."""
        (self.watch.epoch_again if event.cached else self.watch.epoch)(event)

    def _tell_again(
        self, tasks: Mapping[FitPlace, FitTask], fits: Mapping[FitPlace, KeptFit | None]
    ) -> None:
        """Send the history of fits from the cache, or of another method."""
        for place, fit in fits.items():
            for event in history(tasks[place], fit) if fit else ():
                self.watch.epoch_again(event)

    def _note_leaks(self, what: str, chosen: str, index: int) -> None:
        """Record what a broken protocol did to an outer fold."""
        name = self.plan.protocol.name
        self.fitted += leaky_records(name, what, chosen, self.outer[index], self.inputs.table)

    def _kept(self, place: FitPlace, task: FitTask) -> KeptFit | None:
        """A kept fit without its weights: a refit's go to the run folder, no other's are read."""
        fit = kept_fit(self.cache, task)
        if fit is None:
            return None
        if place.inner is None and not self.is_canary:
            where = (place.method, place.outer + 1, place.seed)
            self.store.write_model(*where, fit.state)
            if fit.readings:
                self.store.write_readings(*where, reading_arrays(task, fit))
        return replace(fit, state={}, readings={})

    def score_teachers(self) -> list[pd.DataFrame]:
        """The teachers' own rows: their heads, fitted on the outer training side, on its test."""
        rows = []
        for name, embeddings in self.inputs.embeddings.items():
            for index, split in enumerate(self.outer):
                view = self.views.make(index, split.train)
                target = self.targets[name, view.name, self.heads[0]]
                posteriors = teacher_posteriors(
                    embeddings, view, target, split, self.inputs.table,
                    self.heads[0].strengths, self.plan.protocol.name,
                )  # fmt: skip
                self.fitted += view.fitted
                self._note_leaks(f"head of {name}", "strength", index)
                method = TEACHER_PREFIX + name
                rows.append(self._score(method, 0, index, split.test.ids, posteriors))
        return rows

    def _score(
        self, method: str, seed: int, index: int, ids: Sequence[str], posteriors: np.ndarray
    ) -> pd.DataFrame:
        """Open an outer test partition, once per method and seed, and score it."""
        table, test = self.inputs.table, self.outer[index].test
        row = {utterance: n for n, utterance in enumerate(ids)}
        posteriors = posteriors[[row[utterance] for utterance in test.ids]]
        digest = predictions_digest(test.ids, posteriors)
        labels = Seal(self.store.seal_path).open(method, index + 1, seed, digest, table, test)
        if not self.is_canary:
            scores = score(labels, posteriors.argmax(axis=1), len(table.labels))
            self.watch.fold_scored(
                FoldEvent(method, index + 1, seed, scores.wa, scores.ua, scores.macro_f1)
            )
        return prediction_rows(table, method, seed, index + 1, test.ids, labels, posteriors)


def _mean_ua(fits: Sequence[KeptFit]) -> float:
    """Mean UA over the inner validation folds."""
    return float(np.mean([fit.validation_ua for fit in fits if fit.validation_ua is not None]))
