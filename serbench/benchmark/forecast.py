"""What a run's fits will take, and how well they do, told while they run."""

from __future__ import annotations

from collections.abc import Iterable

from serbench.api import EpochEvent
from serbench.errors import numbered
from serbench.learning.fit.task import FitResult, FitTask
from serbench.results.report.settings import duration

LONG_S = 300.0
"""What the fits of a method take together before it is told in advance."""


class Forecast:
    """What the fits of each method will take, once the first epoch of one of them is made."""

    def __init__(self, tasks: Iterable[FitTask] = ()) -> None:
        self.epochs: dict[str, dict[str, int]] = {}
        for task in tasks:
            self.epochs.setdefault(_method_of(task.name), {})[task.name] = task.epochs

    def after(self, event: EpochEvent) -> str:
        """One line after a method's first epoch; empty: it was told, or is soon done."""
        fits = self.epochs.get(_method_of(event.fit), {})
        if event.seconds is None or event.fit not in fits:
            return ""
        del self.epochs[_method_of(event.fit)]
        each, whole = (event.seconds * n for n in (fits[event.fit], sum(fits.values())))
        if whole < LONG_S:
            return ""
        many = "" if len(fits) == 1 else f", {duration(whole)} for {len(fits)} one after another"
        return f"{_method_of(event.fit)}: about {duration(each)} a fit{many}"


def _method_of(fit: str) -> str:
    return fit.partition("/")[0]


class Validation:
    """UA on inner validation of the fits of each method, as they end."""

    def __init__(self) -> None:
        self.of: dict[str, list[float]] = {}
        self.last = ""

    def add(self, result: FitResult) -> None:
        """A fit has ended; a refit has no validation."""
        if result.validation_ua is not None:
            self.of.setdefault(_method_of(result.name), []).append(result.validation_ua)
            self.last = f", last validation UA {100 * result.validation_ua:.1f} % ({result.name})"

    def lines(self) -> list[str]:
        """The mean of each method, once all fits have ended."""
        return [
            f"{method}: validation UA {100 * sum(each) / len(each):.1f} %, mean of "
            f"{numbered(len(each), 'fit')}"
            for method, each in self.of.items()
        ]
