"""Forecasts of the fits' duration, and validation scores, while a run trains."""

from __future__ import annotations

from collections.abc import Iterable

from serbench.api import EpochEvent
from serbench.errors import numbered
from serbench.learning.fit.task import FitResult, FitTask
from serbench.results.report.settings import duration

LONG_S = 300.0
"""Total duration of a method's fits above which a forecast is printed."""


class Forecast:
    """Forecasts how long the fits of each method will take, after the first epoch of one
    of them.
    """

    def __init__(self, tasks: Iterable[FitTask] = ()) -> None:
        self.epochs: dict[str, dict[str, int]] = {}
        self.told: set[str] = set()
        self.add(tasks)

    def add(self, tasks: Iterable[FitTask]) -> None:
        """Add further fits. Methods whose forecast has already been given get no second
        forecast.
        """
        for task in tasks:
            if (method := _method_of(task.name)) not in self.told:
                self.epochs.setdefault(method, {})[task.name] = task.epochs

    def after(self, event: EpochEvent) -> str:
        """A line with the forecast after a method's first epoch. Empty if it was given before, or
        the fits take little time.
        """
        fits = self.epochs.get(_method_of(event.fit), {})
        if event.seconds is None or event.fit not in fits:
            return ""
        self.told.add(_method_of(event.fit))
        del self.epochs[_method_of(event.fit)]
        each, whole = (event.seconds * n for n in (fits[event.fit], sum(fits.values())))
        if whole < LONG_S:
            return ""
        many = "" if len(fits) == 1 else f", {duration(whole)} for {len(fits)} in sequence"
        return f"{_method_of(event.fit)}: about {duration(each)} per fit{many}"


def _method_of(fit: str) -> str:
    return fit.partition("/")[0]


class Validation:
    """Collects the validation UA of each method's fits as they end."""

    def __init__(self) -> None:
        self.of: dict[str, list[float]] = {}
        self.last = ""

    def add(self, result: FitResult) -> None:
        """Add a finished fit; a refit has no validation score."""
        if result.validation_ua is not None:
            self.of.setdefault(_method_of(result.name), []).append(result.validation_ua)
            self.last = f", last validation UA {100 * result.validation_ua:.1f} % ({result.name})"

    def lines(self) -> list[str]:
        """Lines with each method's mean, after all fits have ended."""
        return [
            f"{method}: validation UA {100 * sum(each) / len(each):.1f} %, mean of "
            f"{numbered(len(each), 'fit')}"
            for method, each in self.of.items()
        ]
