"""Progress of a run: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import pluggy
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from serbench.api import EpochEvent, FoldEvent, RunEvent
from serbench.benchmark.disarm import stderr
from serbench.benchmark.forecast import Forecast, Validation
from serbench.benchmark.notebook import NotebookProgress
from serbench.benchmark.tracking import Trackers, described
from serbench.errors import numbered
from serbench.learning.fit.task import FitResult, FitTask
from serbench.running.harness.observer import Observer

log = logging.getLogger(__name__)

LINE_EVERY_S = 30.0
"""Interval between progress lines without a terminal; it grows with the duration of the run."""

SELDOM_S = 300.0
"""Longest interval between progress lines."""


@contextmanager
def progress_observer(
    hook: pluggy.HookRelay, trackers: Trackers | None = None, *, shown: bool | None = True
) -> Iterator[Observer]:
    """An observer that shows progress and passes run events on to plugins.

    Bars in a notebook and at a terminal; lines on stderr elsewhere.

    Args:
        hook: of the plugins that listen to events.
        trackers: of the run; None: it has none.
        shown: whether progress is shown; None: only where there is a notebook or a terminal.
    """
    console = stderr()
    watched = console.is_terminal or console.is_jupyter
    if not (watched if shown is None else shown):
        yield PluginObserver(hook, trackers)
        return
    if console.is_jupyter:
        with NotebookProgress(*_columns()) as cell:
            yield NotebookObserver(hook, cell, trackers)
        return
    if not console.is_terminal:
        yield LineObserver(hook, trackers)
        return
    with Progress(*_columns(), console=console) as progress:
        yield BarObserver(hook, progress, trackers)


def _columns() -> tuple[ProgressColumn, ...]:
    return (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", style="dim", markup=False),
    )


P = ParamSpec("P")
Own = TypeVar("Own", bound="PluginObserver")


def _alone(method: Callable[Concatenate[Own, P], None]) -> Callable[Concatenate[Own, P], None]:
    """Allow one call at a time: epochs come from the thread that listens to worker processes."""

    @wraps(method)
    def called(self: Own, *args: P.args, **kwargs: P.kwargs) -> None:
        with self.lock:
            method(self, *args, **kwargs)

    return called


class PluginObserver(Observer):
    """Passes run events on to trackers, and to the plugins that listen.

    A plugin that fails is named in a warning and switched off; ``Trackers`` does the same.
    """

    def __init__(self, hook: pluggy.HookRelay, trackers: Trackers | None = None) -> None:
        self.lock = threading.RLock()
        self.hook = hook
        self.trackers = trackers or Trackers()
        self.failed: set[str] = set()
        self.forecast = Forecast()
        self.validation = Validation()
        self.done = self.planned = self.later = self.inner = 0

    @property
    def fits(self) -> int:
        """All fits, as far as they are known."""
        return self.planned + self.later

    @_alone
    def fits_planned(self, tasks: list[FitTask], cached: int, later: int = 0) -> None:  # noqa: ARG002 - of those to come
        self.forecast = Forecast(tasks)
        self.validation = Validation()
        self.done, self.planned, self.later = 0, len(tasks), later
        self.inner = sum(map(_is_inner, tasks))

    @_alone
    def fits_added(self, tasks: list[FitTask], cached: int) -> None:
        self.forecast.add(tasks)
        self.planned += len(tasks)
        refits = sum(not _is_inner(task) for task in tasks)
        self.later = max(0, self.later - refits - cached)
        self.inner += len(tasks) - refits

    @_alone
    def run_started(self, event: RunEvent) -> None:
        self._tell("serbench_run_started", event)
        self.trackers.tell("run_started", event)

    @_alone
    def epoch(self, event: EpochEvent) -> None:
        self._tell("serbench_fit_epoch", event)
        self.trackers.tell("fit_epoch", event)
        if line := self.forecast.after(event):
            self.announce(line)

    @_alone
    def epoch_again(self, event: EpochEvent) -> None:
        self.trackers.tell("fit_epoch", event)

    @_alone
    def fit_done(self, result: FitResult) -> None:
        self.done += 1
        self.validation.add(result)
        self.inner -= _is_inner(result)
        if not self.inner and _is_inner(result):
            for line in self.validation.lines():
                self.announce(line)

    @_alone
    def fold_scored(self, event: FoldEvent) -> None:
        self._tell("serbench_fold_scored", event)
        self.trackers.tell("fold_scored", event)
        self.announce(
            f"{event.method}, outer fold {event.outer}, seed {event.seed}: "
            f"UA {100 * event.ua:.1f} %, WA {100 * event.wa:.1f} %"
        )

    @_alone
    def run_finished(self, event: RunEvent) -> None:
        self._tell("serbench_run_finished", event)
        self.trackers.complete(event)

    def _tell(self, name: str, event: RunEvent | EpochEvent | FoldEvent) -> None:
        for listener in getattr(self.hook, name).get_hookimpls():
            if listener.plugin_name in self.failed:
                continue
            try:
                listener.function(*(event for _ in listener.argnames))
            except (Exception, SystemExit) as error:
                # What a stranger's code does must not cost anybody hours of fits.
                self.failed.add(listener.plugin_name)
                log.warning(
                    "plugin %s failed on %s and is switched off: %s",
                    listener.plugin_name, name, described(error),
                )  # fmt: skip
                log.debug("plugin %s", listener.plugin_name, exc_info=True)


def _is_inner(fit: FitTask | FitResult) -> bool:
    return "/inner-" in fit.name


class LineObserver(PluginObserver):
    """Prints lines: news, one line per stage, and progress of the fits at intervals."""

    def __init__(self, hook: pluggy.HookRelay, trackers: Trackers | None = None) -> None:
        super().__init__(hook, trackers)
        self.console = stderr()
        self.told: set[str] = set()
        self.names: frozenset[str] = frozenset()
        self.epochs = self.total = 0
        self.started = self.last = time.monotonic()

    def announce(self, message: str) -> None:
        self.console.print(message, highlight=False, soft_wrap=True, markup=False)

    @_alone
    def advance(self, stage: str, done: int, total: int) -> None:
        if done >= total and stage not in self.told:
            self.told.add(stage)
            self.announce(f"{stage}: done")
        elif done < total and self._due():
            self.last = time.monotonic()
            self.announce(f"{stage}: {done}/{total}")

    @_alone
    def fits_planned(self, tasks: list[FitTask], cached: int, later: int = 0) -> None:
        super().fits_planned(tasks, cached, later)
        self.names = frozenset(task.name for task in tasks)
        self.epochs, self.total = 0, sum(task.epochs for task in tasks)
        self.started = self.last = time.monotonic()
        if tasks or cached:
            follow = f"; {numbered(later, 'refit')} to follow" if later else ""
            self.announce(f"fits: {len(tasks)} to run, {cached} already there{follow}")

    @_alone
    def fits_added(self, tasks: list[FitTask], cached: int) -> None:
        super().fits_added(tasks, cached)
        self.names |= {task.name for task in tasks}
        self.total += sum(task.epochs for task in tasks)

    @_alone
    def epoch(self, event: EpochEvent) -> None:
        super().epoch(event)
        if event.fit not in self.names:  # a pretraining, which is a stage of its own
            return
        self.epochs += 1
        if self._due():
            self._tell_fits()

    def _due(self) -> bool:
        now = time.monotonic()
        return now - self.last >= min(SELDOM_S, max(LINE_EVERY_S, (now - self.started) / 20))

    def _tell_fits(self) -> None:
        self.last = now = time.monotonic()
        told = f"fits: {self.done}/{self.fits}"
        if self.epochs:
            left = (now - self.started) / self.epochs * max(0, self.total - self.epochs)
            told += f", about {left / 60:.0f} min left" if left >= 60 else ", under 1 min left"
        self.announce(told + self.validation.last)

    @_alone
    def epoch_again(self, event: EpochEvent) -> None:
        super().epoch_again(event)
        self.total -= event.fit in self.names  # of a fit that goes on where it was stopped

    @_alone
    def fit_done(self, result: FitResult) -> None:
        super().fit_done(result)
        # The first one is told at once: whoever waits sees that it goes well.
        if self.done == 1 and self.fits > 1:
            self._tell_fits()


class BarObserver(PluginObserver):
    """One bar per stage; for the fits one bar over all epochs and one per running fit."""

    def __init__(
        self, hook: pluggy.HookRelay, progress: Progress, trackers: Trackers | None = None
    ) -> None:
        super().__init__(hook, trackers)
        self.progress = progress
        self.stages: dict[str, TaskID] = {}
        self.running: dict[str, TaskID] = {}
        self.overall: TaskID | None = None
        self.left: dict[str, int] = {}

    def announce(self, message: str) -> None:
        self.progress.console.print(message, highlight=False, markup=False)

    @_alone
    def advance(self, stage: str, done: int, total: int) -> None:
        if stage not in self.stages:
            self.stages[stage] = self.progress.add_task(stage, total=total, note="")
        self.progress.update(self.stages[stage], completed=done, total=total)

    @_alone
    def fits_planned(self, tasks: list[FitTask], cached: int, later: int = 0) -> None:
        super().fits_planned(tasks, cached, later)
        if not tasks:
            return
        self.left = {task.name: task.epochs for task in tasks}
        total = sum(self.left.values())
        note = f"0/{self.fits} fits" + (f", {cached} already there" if cached else "")
        self.overall = self.progress.add_task("epochs of all fits", total=total, note=note)

    @_alone
    def fits_added(self, tasks: list[FitTask], cached: int) -> None:
        if self.overall is None:
            self.fits_planned(tasks, cached, max(0, self.later - len(tasks) - cached))
            return
        super().fits_added(tasks, cached)
        self.left |= {task.name: task.epochs for task in tasks}
        total = self.progress.tasks[self.progress.task_ids.index(self.overall)].total or 0
        self.progress.update(self.overall, total=total + sum(task.epochs for task in tasks))

    @_alone
    def epoch(self, event: EpochEvent) -> None:
        super().epoch(event)
        if event.fit not in self.left:  # news from a worker can come after its result
            return
        self.left[event.fit] -= 1
        if event.fit not in self.running:
            self.running[event.fit] = self.progress.add_task(
                f"  {event.fit}", total=event.epochs, note=""
            )
        note = f"loss {event.terms['total']:.3f}"
        if event.validation_ua is not None:
            note += f", UA {100 * event.validation_ua:.1f} %"
        self.progress.update(self.running[event.fit], completed=event.epoch, note=note)
        if self.overall is not None:
            self.progress.advance(self.overall)

    @_alone
    def epoch_again(self, event: EpochEvent) -> None:
        super().epoch_again(event)
        if event.fit in self.left and self.overall is not None:
            self.left[event.fit] -= 1  # of a fit that goes on where it was stopped
            self.progress.advance(self.overall)

    @_alone
    def fit_done(self, result: FitResult) -> None:
        super().fit_done(result)
        if (bar := self.running.pop(result.name, None)) is not None:
            self.progress.remove_task(bar)
        if self.overall is not None:
            # Epochs that early stopping saved, or that have not been told of yet.
            self.progress.advance(self.overall, self.left.pop(result.name, 0))
            note = f"{self.done}/{self.fits} fits{self.validation.last}"
            self.progress.update(self.overall, note=note)


class NotebookObserver(BarObserver):
    """The same bars in a notebook, with news above them."""

    def __init__(
        self, hook: pluggy.HookRelay, progress: NotebookProgress, trackers: Trackers | None = None
    ) -> None:
        super().__init__(hook, progress, trackers)
        self.cell = progress

    def announce(self, message: str) -> None:
        self.cell.say(message)
