"""Events of a run for its observers. The base class ignores all."""

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
        """One line of news."""

    def advance(self, stage: str, done: int, total: int) -> None:
        """Progress of a stage, such as ``corpus``, ``teacher NAME`` or ``soft targets``."""

    def fits_planned(self, tasks: list[FitTask], cached: int, later: int = 0) -> None:
        """These fits will run; ``cached`` more come from the cache.

        ``later`` refits follow, when their inner fits are done.
        """

    def fits_added(self, tasks: list[FitTask], cached: int) -> None:
        """These fits will run, too: refits, or further fits of a search."""

    def run_started(self, event: RunEvent) -> None:
        """Before the first fit."""

    def epoch(self, event: EpochEvent) -> None:
        """A fit, or a pretraining, has finished an epoch."""

    def epoch_again(self, event: EpochEvent) -> None:
        """A fit or a pretraining sends an epoch from the cache."""

    def fit_done(self, result: FitResult) -> None:
        """A fit is complete and cached."""

    def fold_scored(self, event: FoldEvent) -> None:
        """An outer fold has been scored."""

    def run_finished(self, event: RunEvent) -> None:
        """Everything is stored."""


class PassedOn(Observer):
    """Passes all events on; override those that change."""

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
    """Passes on the events of a canary's repeat, with its epochs marked.

    Its fits have the same names as the run's.
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
    """Ends a stage between two of its items when the time is over; what is finished is cached.

    Args:
        until: by ``time.time``.
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
        # Epochs of other processes come in a thread of their own; those end themselves.
        if time.time() >= self.until and threading.get_ident() == self.thread:
            raise OutOfTimeError(stage)
