"""Progress of a run: bars on a terminal; elsewhere a line from time to time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

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

from serbench.api import EpochEvent
from serbench.benchmark.disarm import stderr
from serbench.benchmark.notebook import NotebookProgress
from serbench.benchmark.plugin_observer import PluginObserver, alone
from serbench.benchmark.tracking import Trackers
from serbench.errors import numbered
from serbench.learning.fit.task import FitResult, FitTask
from serbench.running.harness.observer import Observer

LINE_EVERY_S = 30.0
"""Interval between progress lines without a terminal; it grows with the duration of the run."""

SELDOM_S = 300.0
"""Longest interval between progress lines."""


@contextmanager
def progress_observer(
    hook: pluggy.HookRelay, trackers: Trackers | None = None, *, shown: bool | None = True
) -> Iterator[Observer]:
    """An observer that shows progress and passes run events on to plugins.

    It shows bars in a notebook and at a terminal, and lines on stderr elsewhere.

    Args:
        hook: hook of the plugins that receive events.
        trackers: trackers of the run; None: the run has no tracker.
        shown: whether progress is shown; None: only in a notebook or at a terminal.
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


class LineObserver(PluginObserver):
    """Prints lines: messages, one line per stage, and the progress of the fits at intervals."""

    def __init__(self, hook: pluggy.HookRelay, trackers: Trackers | None = None) -> None:
        super().__init__(hook, trackers)
        self.console = stderr()
        self.told: set[str] = set()
        self.names: frozenset[str] = frozenset()
        self.epochs = self.total = 0
        self.started = self.last = time.monotonic()

    def announce(self, message: str) -> None:
        self.console.print(message, highlight=False, soft_wrap=True, markup=False)

    @alone
    def advance(self, stage: str, done: int, total: int) -> None:
        if done >= total and stage not in self.told:
            self.told.add(stage)
            self.announce(f"{stage}: done")
        elif done < total and self._due():
            self.last = time.monotonic()
            self.announce(f"{stage}: {done}/{total}")

    @alone
    def fits_planned(self, tasks: list[FitTask], cached: int, later: int = 0) -> None:
        super().fits_planned(tasks, cached, later)
        self.names = frozenset(task.name for task in tasks)
        self.epochs, self.total = 0, sum(task.epochs for task in tasks)
        self.started = self.last = time.monotonic()
        if tasks or cached:
            follow = f"; {numbered(later, 'refit')} to follow" if later else ""
            self.announce(f"fits: {len(tasks)} to run, {cached} in the cache{follow}")

    @alone
    def fits_added(self, tasks: list[FitTask], cached: int) -> None:
        super().fits_added(tasks, cached)
        self.names |= {task.name for task in tasks}
        self.total += sum(task.epochs for task in tasks)

    @alone
    def epoch(self, event: EpochEvent) -> None:
        super().epoch(event)
        if event.fit not in self.names:  # a pretraining, which has its own stage
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

    @alone
    def epoch_again(self, event: EpochEvent) -> None:
        super().epoch_again(event)
        self.total -= event.fit in self.names  # of a stopped fit that continues

    @alone
    def fit_done(self, result: FitResult) -> None:
        super().fit_done(result)
        # The first fit is reported at once, so that users see that the run makes progress.
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

    @alone
    def advance(self, stage: str, done: int, total: int) -> None:
        if stage not in self.stages:
            self.stages[stage] = self.progress.add_task(stage, total=total, note="")
        self.progress.update(self.stages[stage], completed=done, total=total)

    @alone
    def fits_planned(self, tasks: list[FitTask], cached: int, later: int = 0) -> None:
        super().fits_planned(tasks, cached, later)
        if not tasks:
            return
        self.left = {task.name: task.epochs for task in tasks}
        total = sum(self.left.values())
        note = f"0/{self.fits} fits" + (f", {cached} in the cache" if cached else "")
        self.overall = self.progress.add_task("epochs of all fits", total=total, note=note)

    @alone
    def fits_added(self, tasks: list[FitTask], cached: int) -> None:
        if self.overall is None:
            self.fits_planned(tasks, cached, max(0, self.later - len(tasks) - cached))
            return
        super().fits_added(tasks, cached)
        self.left |= {task.name: task.epochs for task in tasks}
        total = self.progress.tasks[self.progress.task_ids.index(self.overall)].total or 0
        self.progress.update(self.overall, total=total + sum(task.epochs for task in tasks))

    @alone
    def epoch(self, event: EpochEvent) -> None:
        super().epoch(event)
        if event.fit not in self.left:  # messages from a worker can come after its result
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

    @alone
    def epoch_again(self, event: EpochEvent) -> None:
        super().epoch_again(event)
        if event.fit in self.left and self.overall is not None:
            self.left[event.fit] -= 1  # of a stopped fit that continues
            self.progress.advance(self.overall)

    @alone
    def fit_done(self, result: FitResult) -> None:
        super().fit_done(result)
        if (bar := self.running.pop(result.name, None)) is not None:
            self.progress.remove_task(bar)
        if self.overall is not None:
            # Epochs that early stopping saved, or that have not been reported yet.
            self.progress.advance(self.overall, self.left.pop(result.name, 0))
            note = f"{self.done}/{self.fits} fits{self.validation.last}"
            self.progress.update(self.overall, note=note)


class NotebookObserver(BarObserver):
    """The same bars in a notebook, with messages above them."""

    def __init__(
        self, hook: pluggy.HookRelay, progress: NotebookProgress, trackers: Trackers | None = None
    ) -> None:
        super().__init__(hook, progress, trackers)
        self.cell = progress

    def announce(self, message: str) -> None:
        self.cell.say(message)
