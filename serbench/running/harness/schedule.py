"""The order in which fits can be made: inner fits first, then each refit after its choice
is made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from serbench.learning.fit.task import FitTask
from serbench.running.harness.choice import Choice
from serbench.running.harness.results import KeptFit
from serbench.running.harness.tasks import FitPlace


class Schedule(Iterator[FitTask]):
    """An iterator over fits that are ready, for an executor. It has more after
    results have arrived.

    Args:
        choices: the choices of every method, seed and outer fold.
        make: makes the task of a place; for a refit, with its number of epochs if inner fits have
            set it.
        kept: gives the cached result of a task; None: the task is not cached.

    Attributes:
        tasks: the task of every place so far.
        places: all places that need a task, by the task's key.
    """

    def __init__(
        self,
        choices: Iterable[Choice],
        make: Callable[[FitPlace, int | None], FitTask],
        kept: Callable[[FitPlace, FitTask], KeptFit | None],
    ) -> None:
        self.choices = {(each.method.name, each.seed, each.outer): each for each in choices}
        self.tasks: dict[FitPlace, FitTask] = {}
        self.places: dict[str, list[FitPlace]] = {}
        self._make = make
        self._kept = kept
        self._inner: deque[FitTask] = deque()
        self._refits: deque[FitTask] = deque()

    def __next__(self) -> FitTask:
        """A fit that is ready.

        Raises:
            StopIteration: no fit is ready now.
        """
        for queue in (self._inner, self._refits):
            if queue:
                return queue.popleft()
        raise StopIteration

    @property
    def chosen(self) -> bool:
        """Whether all choices are made."""
        return all(choice.refit for choice in self.choices.values())

    def choice_of(self, place: FitPlace) -> Choice:
        """The choice that a fit belongs to."""
        return self.choices[place.method, place.seed, place.outer]

    def grow(self, choices: Iterable[Choice]) -> tuple[list[FitTask], dict[FitPlace, KeptFit]]:
        """Add those fits of some choices that can be made now.

        Returns:
            New tasks, and results from the cache, which may have led to further fits.
        """
        new: list[FitTask] = []
        cached: dict[FitPlace, KeptFit] = {}
        for choice in choices:
            while ready := choice.next():
                for place, epochs in ready:
                    task = self.tasks[place] = self._make(place, epochs)
                    if (fit := self._kept(place, task)) is not None:
                        cached[place] = fit
                        choice.take(place, fit)
                    elif task.key in self.places:
                        self.places[task.key].append(place)
                    else:
                        self.places[task.key] = [place]
                        new.append(task)
                        (self._refits if place.inner is None else self._inner).append(task)
        return new, cached
