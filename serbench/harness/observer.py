"""What is told to whoever watches a run. The base class watches in silence."""

from __future__ import annotations

from serbench.api import EpochEvent, FoldEvent, RunEvent
from serbench.fit import FitResult, FitTask


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

    def fit_done(self, result: FitResult) -> None:
        """A fit is complete and kept."""

    def fold_scored(self, event: FoldEvent) -> None:
        """An outer fold has been scored."""

    def run_finished(self, event: RunEvent) -> None:
        """All is stored."""
