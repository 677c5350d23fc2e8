"""What a tracker plugin is: somewhere to write down how a run goes."""

from __future__ import annotations

from typing import Protocol

from serbench.api.events import EpochEvent, FoldEvent, RunEvent
from serbench.api.params import Plugin


class Tracker(Plugin, Protocol):
    """A tracker plugin: is told of a run while it goes on, in the run's own process.

    Calls come one after another, though not all from the same thread. A run is told from its
    beginning each time that it is started, with the history of every fit that it takes from the
    cache. Whatever a tracker raises ends its own part in the run, never the run.

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
        """None where it can track a run here and now, else the reason and what to do, in a line.

        It is asked before the run begins, which then does not begin. It never raises.
        """
        return None

    def run_started(self, event: RunEvent) -> None:
        """The run's folder is there, and the first fit is about to begin."""

    def fit_epoch(self, event: EpochEvent) -> None:
        """A fit or a pretraining has finished an epoch, or is told again from the cache."""

    def fold_scored(self, event: FoldEvent) -> None:
        """An outer test fold has been scored."""

    def run_finished(self, event: RunEvent) -> None:
        """The run is complete and stored, its report is written and its scores are known."""

    def close(self) -> None:
        """Let go of files and connections: the last call, also of a run that was stopped.

        It may come without any other before it, and after one that raised.
        """
