"""The trackers of a run: made before it begins, called together, and harmless if they fail."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from serbench.api import (
    EpochEvent,
    FoldEvent,
    PluginError,
    PooledScore,
    RunEvent,
    Tracker,
)
from serbench.running.registry.checks import NO_TRACKER
from serbench.running.registry.lookup import Registry

log = logging.getLogger(__name__)

ALWAYS = "jsonl"
"""The tracker of every run, unless ``none`` is given."""

Event = RunEvent | EpochEvent | FoldEvent
Told = Literal["run_started", "fit_epoch", "fold_scored", "run_finished"]


@dataclass(frozen=True, slots=True)
class NamedTracker:
    """A tracker, its name in the registry, and its package.

    Attributes:
        package: distribution and version.
    """

    name: str
    package: str
    tracker: Tracker


class Trackers:
    """Sends events to several trackers, one call at a time.

    A tracker that raises is named in one warning and then only closed.
    """

    def __init__(self, trackers: Sequence[NamedTracker] = ()) -> None:
        self.trackers = tuple(trackers)
        self._failed: set[str] = set()
        self._finished: RunEvent | None = None
        # Epochs come from the thread that listens to worker processes, all else from the main one.
        self._lock = threading.Lock()

    def tell(self, what: Told, event: Event) -> None:
        """Call the method ``what`` of every tracker that has not failed."""
        with self._lock:
            for each in self.trackers:
                if each.name not in self._failed:
                    self._call(each, what, event)

    def complete(self, event: RunEvent) -> None:
        """Store the event of a finished run; ``finish`` later sends it to the trackers,
        with the scores.
        """
        self._finished = event

    def finish(self, folder: Path) -> None:
        """Send the end of the run in ``folder``, which now has its report.

        Raises:
            StoreError: the run's results cannot be read.
        """
        if self.trackers and self._finished is not None:
            self.tell("run_finished", replace(self._finished, scores=pooled_scores(folder)))

    def close(self) -> None:
        """Close all trackers, also those that failed."""
        with self._lock:
            for each in self.trackers:
                self._call(each, "close")

    def _call(self, each: NamedTracker, what: str, *events: Event) -> None:
        try:
            getattr(each.tracker, what)(*events)
        except (Exception, SystemExit) as error:
            # An error in other people's code must not end hours of fits.
            log.debug("tracker %s failed on %s", each.name, what, exc_info=True)
            if each.name in self._failed:
                return
            self._failed.add(each.name)
            log.warning(
                "tracker %s (%s) failed on %s and is switched off; the run continues and loses "
                "nothing else: %s",
                each.name, each.package, what, described(error),
            )  # fmt: skip


def make_trackers(registry: Registry, asked: Sequence[str]) -> Trackers:
    """The trackers of ``--tracker``, after the default tracker of every run; ``none`` leaves that
    one out.

    Raises:
        RegistryError: no tracker has that name, or the tracker does not accept the parameters.
        PluginError: a tracker cannot be used here; the message says what to do.
    """
    named = [name for name in asked if name != NO_TRACKER]
    always = [] if NO_TRACKER in asked else [ALWAYS]
    made = [_make(registry, name) for name in dict.fromkeys([*always, *named])]
    for each in made:
        if (reason := _unavailable(each.tracker)) is not None:
            raise PluginError(f"tracker {each.name} ({each.package}): {reason}")
    return Trackers(made)


def _unavailable(tracker: Tracker) -> str | None:
    try:
        return tracker.unavailable()
    except (Exception, SystemExit) as error:  # code of other people may raise anything
        return (
            "its check failed, so serbench does not know whether it can be used: "
            f"{described(error)}"
        )


def described(error: BaseException) -> str:
    """Type and message of an exception, in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _make(registry: Registry, name: str) -> NamedTracker:
    plugin = registry.plugin_spec("trackers", name).plugin
    tracker = registry.make("trackers", name)
    items = {item.name: item for item in registry.plugins.items("trackers")}
    return NamedTracker(name, f"{items[plugin].distribution} {items[plugin].version}", tracker)


def pooled_scores(folder: Path) -> tuple[PooledScore, ...]:
    """Scores of every method, as the report of a finished run has them.

    Raises:
        StoreError: the run has not finished, or is damaged.
    """
    from serbench.results.report.results import load_results

    return tuple(
        PooledScore(result.method, metric, estimate.value, estimate.low, estimate.high)
        for result in load_results([folder], marked=False).comparison.methods
        for metric, estimate in result.pooled.items()
    )
