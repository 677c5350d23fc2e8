"""Sends run events to trackers and plugins."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import pluggy

from serbench.api import EpochEvent, FoldEvent, RunEvent
from serbench.benchmark.forecast import Forecast, Validation
from serbench.benchmark.tracking import Trackers, described
from serbench.learning.fit.task import FitResult, FitTask
from serbench.running.harness.observer import Observer

log = logging.getLogger(__name__)

P = ParamSpec("P")
Own = TypeVar("Own", bound="PluginObserver")


def alone(method: Callable[Concatenate[Own, P], None]) -> Callable[Concatenate[Own, P], None]:
    """Allow one call at a time, because epochs come from the thread that listens
    to worker processes.
    """

    @wraps(method)
    def called(self: Own, *args: P.args, **kwargs: P.kwargs) -> None:
        with self.lock:
            method(self, *args, **kwargs)

    return called


class PluginObserver(Observer):
    """Passes run events on to trackers, and to the plugins that listen.

    A plugin that fails is named in a warning and receives no more events. ``Trackers`` treats
    trackers likewise.
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
        """Number of all fits, as far as it is known."""
        return self.planned + self.later

    @alone
    def fits_planned(self, tasks: list[FitTask], cached: int, later: int = 0) -> None:  # noqa: ARG002 - of those to come
        self.forecast = Forecast(tasks)
        self.validation = Validation()
        self.done, self.planned, self.later = 0, len(tasks), later
        self.inner = sum(map(is_inner, tasks))

    @alone
    def fits_added(self, tasks: list[FitTask], cached: int) -> None:
        self.forecast.add(tasks)
        self.planned += len(tasks)
        refits = sum(not is_inner(task) for task in tasks)
        self.later = max(0, self.later - refits - cached)
        self.inner += len(tasks) - refits

    @alone
    def run_started(self, event: RunEvent) -> None:
        self._tell("serbench_run_started", event)
        self.trackers.tell("run_started", event)

    @alone
    def epoch(self, event: EpochEvent) -> None:
        self._tell("serbench_fit_epoch", event)
        self.trackers.tell("fit_epoch", event)
        if line := self.forecast.after(event):
            self.announce(line)

    @alone
    def epoch_again(self, event: EpochEvent) -> None:
        self.trackers.tell("fit_epoch", event)

    @alone
    def fit_done(self, result: FitResult) -> None:
        self.done += 1
        self.validation.add(result)
        self.inner -= is_inner(result)
        if not self.inner and is_inner(result):
            for line in self.validation.lines():
                self.announce(line)

    @alone
    def fold_scored(self, event: FoldEvent) -> None:
        self._tell("serbench_fold_scored", event)
        self.trackers.tell("fold_scored", event)
        self.announce(
            f"{event.method}, outer fold {event.outer}, seed {event.seed}: "
            f"UA {100 * event.ua:.1f} %, WA {100 * event.wa:.1f} %"
        )

    @alone
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
                # An error in other people's code must not end hours of fits.
                self.failed.add(listener.plugin_name)
                log.warning(
                    "plugin %s failed on %s and is switched off: %s",
                    listener.plugin_name, name, described(error),
                )  # fmt: skip
                log.debug("plugin %s", listener.plugin_name, exc_info=True)


def is_inner(fit: FitTask | FitResult) -> bool:
    """Whether a fit is one of the inner search."""
    return "/inner-" in fit.name
