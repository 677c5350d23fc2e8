"""The nested loops: inner fits choose, refits train on the whole training side and are scored.

A refit begins as soon as its own choice is made. Outer labels are read only after all choices are
made. From then on, a fold is scored when its refit is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import starmap
from pathlib import Path

import numpy as np
import pandas as pd

from serbench.api import EpochEvent, FoldEvent, RunEvent
from serbench.files.cache_kinds import kind_folder
from serbench.learning.evaluate import score
from serbench.learning.fit.task import FitResult, FitTask, InitialState
from serbench.learning.teach.targets import Target, TargetKey
from serbench.protocol.guard.seal import Seal, predictions_digest
from serbench.protocol.guard.view import FittedRecord, PartitionView
from serbench.protocol.splits.records import Split
from serbench.running.harness.choice import Choice, search_seed
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
from serbench.running.harness.schedule import Schedule
from serbench.running.harness.search import Search, most_fits
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
        inputs: the corpus, its frames and its embeddings.
        folds: the folds of the same corpus.
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
        self.choices: tuple[Choice, ...] = ()
        self.rows: dict[tuple[str, int, int], pd.DataFrame] = {}
        self._ended: list[tuple[FitPlace, KeptFit]] = []
        self._told = ""
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
        fits = sum(1 + self.inner_fits(method, index) for method, _, index in self.places())
        plan = self.store.plan()
        return RunEvent(self.store.folder, plan["digest"], fits, plan)

    def pretrain(self) -> None:
        """Make the weights that fits start from, if students are pretrained."""
        where = self.resources
        self.initial = pretrain_all(
            self.plan, self.inputs, where.cache, where.executor, where.device, self.watch
        )

    def ask_teachers(self) -> None:
        """Compute the teachers' soft targets for every training partition."""
        self.targets = self.fit_targets()

    def fit_targets(self) -> dict[TargetKey, Target]:
        """Fit soft targets of every teacher for every training partition that a fit uses."""
        if not self.inputs.embeddings:
            return {}
        views = self.taught()
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

    def taught(self) -> dict[str, PartitionView]:
        """The training partitions that teachers' heads are fitted on, by their names."""
        wanted = list(enumerate(self.outer))
        if any(method.uses_teachers and searches(method) for method in self.plan.methods):
            wanted += [(n, split) for n, below in enumerate(self.inner) for split in below]
        return {split.train.name: self.views.make(n, split.train) for n, split in wanted}

    def places(self) -> list[tuple[MethodPlan, int, int]]:
        """Every (method, seed, outer fold)."""
        return [
            (method, seed, index)
            for method in self.plan.methods
            for seed in range(self.plan.protocol.seeds)
            for index in range(len(self.outer))
        ]

    def fit(self) -> list[pd.DataFrame]:
        """Search, refit and score every place. A fit begins when all that it needs is known.

        Returns:
            The rows of each place, in the order of ``places``.
        """
        schedule = self.schedule()
        self.choices = tuple(schedule.choices.values())
        new, cached = schedule.grow(self.choices)
        later = sum(choice.refit is None for choice in self.choices)
        self.watch.fits_planned(new, len(schedule.tasks) - len(new), later)
        self._arrived(schedule, cached)
        for result in self.resources.executor.fits(schedule, self._tell):
            done = self._keep(schedule, result)
            new, cached = schedule.grow(schedule.choice_of(place) for place in done)
            self.watch.fits_added(new, len(cached))
            self._arrived(schedule, done | cached)
        self.fits_cached = len(schedule.tasks) - self.fits_run
        return [self.rows[method.name, seed, index] for method, seed, index in self.places()]

    def schedule(self) -> Schedule:
        """A schedule of all fits, in the order in which they can be made."""
        maker = self.maker()

        def make(place: FitPlace, epochs: int | None) -> FitTask:
            split = self.outer[place.outer]
            if place.inner is not None:
                split = self._choosing(place.outer)[place.inner]
            task = maker.make(place, split, epochs)
            return replace(task, checkpoint=self._checkpoints / f"{task.key}.pt")

        return Schedule(starmap(self._choice, self.places()), make, self._kept)

    @property
    def _checkpoints(self) -> Path:
        return kind_folder(self.resources.cache, "checkpoints")

    def _choice(self, method: MethodPlan, seed: int, index: int) -> Choice:
        search = None
        if self._searches(method):
            search = Search(
                self.plan.protocol.strategy,
                [each.values for each in method.candidates],  # noqa: PD011 - no data frame
                len(self._choosing(index)),
                method.trials or len(method.candidates),
                search_seed(self.inputs.table, self.outer[index], seed),
            )
        return Choice(method, seed, index, search, epochs_too=not self._epoch_on_test)

    @property
    def _epoch_on_test(self) -> bool:
        """Whether the test side chooses the epoch, so that inner folds need not choose one."""
        return self.plan.protocol.name in EPOCH_ON_TEST

    def _searches(self, method: MethodPlan) -> bool:
        """Whether there is anything to choose on inner folds for a method."""
        return searches(method) and not (self._epoch_on_test and len(method.candidates) == 1)

    def inner_fits(self, method: MethodPlan, index: int) -> int:
        """Largest number of fits of a method's search in an outer fold; 0: nothing is searched."""
        if not self._searches(method):
            return 0
        count, folds = len(method.candidates), len(self._choosing(index))
        return most_fits(self.plan.protocol.strategy, count, folds, method.trials or count)

    def _choosing(self, index: int) -> Sequence[Split]:
        inner = self.inner[index] if self.inner else ()
        return choosing_folds(self.plan.protocol.name, self.outer[index], inner)

    def maker(self) -> TaskMaker:
        """Makes the tasks of all fits."""
        return TaskMaker(
            self.plan, self.inputs, self.views, self.targets, self.initial, self.resources.device
        )

    def _keep(self, schedule: Schedule, result: FitResult) -> dict[FitPlace, KeptFit]:
        """Cache a finished fit; return its result for every place that needs it."""
        places = schedule.places[result.key]
        keep(self.cache, result, refit=any(place.inner is None for place in places))
        (self._checkpoints / f"{result.key}.pt").unlink(missing_ok=True)
        self.fits_run += 1
        self.fresh_fit_s += result.seconds
        self.fresh_step_s += result.step_seconds
        self.watch.fit_done(result)
        done: dict[FitPlace, KeptFit] = {}
        for place in places:
            fit = self._kept(place, schedule.tasks[place])
            assert fit is not None, "it was cached a moment ago"
            schedule.choice_of(place).take(place, fit)
            done[place] = fit
        self._told = result.name
        return done

    def _arrived(self, schedule: Schedule, fits: Mapping[FitPlace, KeptFit]) -> None:
        """Record fits in the run's folder; score refits as soon as all choices are made."""
        for place, fit in fits.items():
            task = schedule.tasks[place]
            if place.name != self._told:
                self._tell_again(task, fit)
            self.store.write_fit(record_of(self.plan, place, task, fit))
            self.fitted += fit.fitted
            if place.inner is None:
                self._ended.append((place, fit))
                method = self.plan.method(place.method)
                leak = leak_of_student(
                    self.plan.protocol.name,
                    method.candidates[place.candidate],
                    searched=self._searches(method),
                )
                self._note_leaks(f"student of {place.method}", leak, place.outer)
        self._told = ""
        if not schedule.chosen:
            return
        for place, fit in self._ended:
            at = place.method, place.seed, place.outer
            self.rows[at] = self._score(*at, fit.ids, fit.posteriors)
        self._ended.clear()

    def _tell(self, event: EpochEvent) -> None:
        """Send an epoch that was trained now, or one of a stopped fit that continues."""
        (self.watch.epoch_again if event.cached else self.watch.epoch)(event)

    def _tell_again(self, task: FitTask, fit: KeptFit) -> None:
        """Send the history of a fit that comes from the cache, or from another method."""
        for event in history(task, fit):
            self.watch.epoch_again(event)

    def _note_leaks(self, what: str, chosen: str, index: int) -> None:
        """Record what a broken protocol did to an outer fold."""
        name = self.plan.protocol.name
        self.fitted += leaky_records(name, what, chosen, self.outer[index], self.inputs.table)

    def _kept(self, place: FitPlace, task: FitTask) -> KeptFit | None:
        """A cached fit without its weights: only a refit's are read, for the run folder."""
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
        """The rows of the teachers: their heads, fitted on each outer training side, scored on its
        test side.
        """
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
        table, split = self.inputs.table, self.outer[index]
        test = split.test
        row = {utterance: n for n, utterance in enumerate(ids)}
        posteriors = posteriors[[row[utterance] for utterance in test.ids]]
        digest = predictions_digest(test.ids, posteriors)
        labels = Seal(self.store.seal_path).open(method, index + 1, seed, digest, table, test)
        if not self.is_canary:
            first = np.isin(test.ids, split.headline.test.ids)
            scores = score(labels[first], posteriors[first].argmax(axis=1), len(table.labels))
            self.watch.fold_scored(
                FoldEvent(method, index + 1, seed, scores.wa, scores.ua, scores.macro_f1)
            )
        return prediction_rows(
            table, method, seed, index + 1, test.ids, labels, posteriors, split.set_of
        )
