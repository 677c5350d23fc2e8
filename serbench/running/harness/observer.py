"""Events of a run for its observers. The base class ignores all events."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from serbench.api import EpochEvent, FoldEvent, RunEvent
from serbench.errors import OutOfTimeError
from serbench.learning.fit.task import FitResult, FitTask


class Observer:
    """Base of observers; override the events that you need."""

    def announce(self, message: str) -> None:
        """Receive a message, which is one line."""

    def advance(self, stage: str, done: int, total: int) -> None:
        """Receive the progress of a stage, such as ``corpus``, ``teacher NAME``
        or ``soft targets``.
        """

    def fits_planned(self, tasks: list[FitTask], cached: int, later: int = 0) -> None:
        """Receive the fits that will run; ``cached`` more fits come from the cache.

        ``later`` more refits follow, after their inner fits.
        """

    def fits_added(self, tasks: list[FitTask], cached: int) -> None:
        """Receive further fits that will run: refits, or more fits of a search."""

    def run_started(self, event: RunEvent) -> None:
        """Called before the first fit."""

    def epoch(self, event: EpochEvent) -> None:
        """A fit, or a pretraining, has finished an epoch."""

    def epoch_again(self, event: EpochEvent) -> None:
        """A fit or a pretraining sends an epoch from the cache."""

    def fit_done(self, result: FitResult) -> None:
        """A fit is complete and cached."""

    def fold_scored(self, event: FoldEvent) -> None:
        """An outer fold has been scored."""

    def run_finished(self, event: RunEvent) -> None:
        """Called when everything is stored."""


class PassedOn(Observer):
    """Passes all events on to another observer; override the events that change."""

    def __init__(self, watch: Observer) -> None:
        self.watch = watch

    def announce(self, message: str) -> None:
        """See ``Observer``."""
        self.watch.announce(message)

    def advance(self, stage: str, done: int, total: int) -> None:
        """See ``Observer``."""
        self.watch.advance(stage, done, total)

    def fits_planned(self, tasks: list[FitTask], cached: int, later: int = 0) -> None:
        """See ``Observer``."""
        self.watch.fits_planned(tasks, cached, later)

    def fits_added(self, tasks: list[FitTask], cached: int) -> None:
        """See ``Observer``."""
        self.watch.fits_added(tasks, cached)

    def run_started(self, event: RunEvent) -> None:
        """See ``Observer``."""
        self.watch.run_started(event)

    def epoch(self, event: EpochEvent) -> None:
        """See ``Observer``."""
        self.watch.epoch(event)

    def epoch_again(self, event: EpochEvent) -> None:
        """See ``Observer``."""
        self.watch.epoch_again(event)

    def fit_done(self, result: FitResult) -> None:
        """See ``Observer``."""
        self.watch.fit_done(result)

    def fold_scored(self, event: FoldEvent) -> None:
        """See ``Observer``."""
        self.watch.fold_scored(event)

    def run_finished(self, event: RunEvent) -> None:
        """See ``Observer``."""
        self.watch.run_finished(event)


class CanaryObserver(PassedOn):
    """Passes on the events of a canary's repeat, and marks its epochs.

    The mark is needed because its fits have the same names as those of the run.
    """

    def __init__(self, watch: Observer, repeat: int) -> None:
        super().__init__(watch)
        self.repeat = repeat

    def epoch(self, event: EpochEvent) -> None:
        """See ``Observer``."""
        self.watch.epoch(replace(event, canary=self.repeat))

    def epoch_again(self, event: EpochEvent) -> None:
        """See ``Observer``."""
        self.watch.epoch_again(replace(event, canary=self.repeat))


class Deadline(PassedOn):
    """Ends a stage between two of its items when the time is over. Finished items are cached.

    Args:
        until: end of the time, as ``time.time`` counts.
    """

    def __init__(self, watch: Observer, until: float) -> None:
        super().__init__(watch)
        self.until = until
        self.thread = threading.get_ident()

    def advance(self, stage: str, done: int, total: int) -> None:
        """See ``Observer``.

        Raises:
            OutOfTimeError: the time is over.
        """
        self.watch.advance(stage, done, total)
        # Epochs from other processes arrive in a separate thread; those processes end themselves.
        if time.time() >= self.until and threading.get_ident() == self.thread:
            raise OutOfTimeError(stage)
