"""What is told to whoever watches a run. The base class watches in silence."""

from __future__ import annotations

from dataclasses import replace

from serbench.api import EpochEvent, FoldEvent, RunEvent
from serbench.learning.fit.task import FitResult, FitTask


class Observer:
    """Override what you want to hear of."""

    def announce(self, message: str) -> None:
        """One line of news."""

    def advance(self, stage: str, done: int, total: int) -> None:
        """A long stage (``corpus``, ``features``, ``teacher NAME``, ``soft targets``) goes on."""

    def fits_planned(self, tasks: list[FitTask], cached: int) -> None:
        """These fits are about to run; ``cached`` more are already there."""

    def run_started(self, event: RunEvent) -> None:
        """Before the first fit."""

    def epoch(self, event: EpochEvent) -> None:
        """A fit, or a pretraining, has finished an epoch."""

    def epoch_again(self, event: EpochEvent) -> None:
        """An epoch of a fit, or a pretraining, that was not made now but taken from the cache."""

    def fit_done(self, result: FitResult) -> None:
        """A fit is complete and kept."""

    def fold_scored(self, event: FoldEvent) -> None:
        """An outer fold has been scored."""

    def run_finished(self, event: RunEvent) -> None:
        """All is stored."""


class CanaryObserver(Observer):
    """Passes on what a repeat of a canary tells, with its epochs marked as such.

    Its fits have the names of the run's own.
    """

    def __init__(self, watch: Observer, repeat: int) -> None:
        self.watch = watch
        self.repeat = repeat

    def announce(self, message: str) -> None:
        """See ``Observer``."""
        self.watch.announce(message)

    def advance(self, stage: str, done: int, total: int) -> None:
        """See ``Observer``."""
        self.watch.advance(stage, done, total)

    def fits_planned(self, tasks: list[FitTask], cached: int) -> None:
        """See ``Observer``."""
        self.watch.fits_planned(tasks, cached)

    def epoch(self, event: EpochEvent) -> None:
        """See ``Observer``."""
        self.watch.epoch(replace(event, canary=self.repeat))

    def epoch_again(self, event: EpochEvent) -> None:
        """See ``Observer``."""
        self.watch.epoch_again(replace(event, canary=self.repeat))

    def fit_done(self, result: FitResult) -> None:
        """See ``Observer``."""
        self.watch.fit_done(result)
