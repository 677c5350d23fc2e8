"""Tracker plugins: they log runs elsewhere."""

from __future__ import annotations

from typing import Protocol

from serbench.api.events import EpochEvent, FoldEvent, RunEvent
from serbench.api.params import Plugin


class Tracker(Plugin, Protocol):
    """A tracker plugin: receives a run's events while it runs, in the run's own process.

    Calls come one after another, but not all from the same thread. Each start of a run sends all
    events from the beginning, with the history of every cached fit. A tracker that raises is
    switched off; the run continues.

    Examples:
        >>> from serbench.api import FoldEvent, Params, Tracker
        >>> class Shout(Tracker):
        ...     name = "shout"
        ...     Params = Params
        ...
        ...     def fold_scored(self, event):
        ...         print(f"{event.method}, fold {event.outer}: UA {event.ua:.0%}!")
        >>> Shout(Params()).fold_scored(FoldEvent("plain", 2, 0, wa=0.6, ua=0.5, macro_f1=0.5))
        plain, fold 2: UA 50%!
    """

    def unavailable(self) -> str | None:
        """None if it can log a run here and now, else the reason and what to do, in one line.

        It is asked before the run begins; a reason stops the run. It must not raise.
        """
        return None

    def run_started(self, event: RunEvent) -> None:
        """The run's folder exists, and the first fit is about to begin."""

    def fit_epoch(self, event: EpochEvent) -> None:
        """A fit or a pretraining has finished an epoch, or the cache sends the epoch again."""

    def fold_scored(self, event: FoldEvent) -> None:
        """An outer test fold has been scored."""

    def run_finished(self, event: RunEvent) -> None:
        """The run is complete and stored; its report and its scores are available."""

    def close(self) -> None:
        """Release files and connections. This is the last call, also for a run that was stopped.

        It may come without any earlier call, and after a call that raised.
        """
