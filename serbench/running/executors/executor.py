"""Base of all executors: they train, and call a function for each of some items."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch

from serbench.api import EpochEvent, SerbenchError
from serbench.errors import OutOfTimeError
from serbench.learning.fit.estimate import fit_student
from serbench.learning.fit.loop import OnEpoch
from serbench.learning.fit.pretrain import pretrain
from serbench.learning.fit.task import FitResult, FitTask, PretrainResult, PretrainTask

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 4
"""For each worker, number of items that may be ahead of the item whose result is taken next."""


class Executor(ABC):
    """Computes independent items; the results do not depend on which executor does it.

    Functions must be importable by name on the machine that runs them, and items must be picklable.

    Attributes:
        workers: number of items that are computed at the same time.
        until: time at which training ends, as ``time.time`` counts; None: it ends when all is done.
    """

    workers: int
    until: float | None = None

    @abstractmethod
    def train(
        self, function: Callable[[T, OnEpoch], R], tasks: Iterator[T], on_epoch: OnEpoch
    ) -> Iterator[R]:
        """Results of ``function`` as they come, in any order; ``on_epoch`` receives each epoch.

        ``tasks`` may be empty now and have more after a result was taken: it is asked again after
        each result, in this thread or another. Training is complete if it has no task and no result
        is outstanding.

        Raises:
            SerbenchError: workers were lost, or differ from this machine in code or versions.
        """

    @abstractmethod
    def each_call(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[int, R]]:
        """The position of each item and ``function`` of it, as they come, in any order.

        ``items`` may be empty now and have more later, like the tasks of ``train``.

        Raises:
            SerbenchError: as ``train``.
        """

    @abstractmethod
    def reads(self, path: Path) -> bool:
        """Whether all workers can read a file of this machine, at the same path."""

    @abstractmethod
    def device(self, name: str) -> str:
        """The device that ``--device`` means on the machines that compute the items.

        Raises:
            SerbenchError: the device is not usable there, or differs between workers.
        """

    @abstractmethod
    def shut_down(self) -> None:
        """Give back the workers that are kept between stages; a later call starts new ones."""

    def calls(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """``function`` of every item, in their order."""
        results = dict(self.each_call(function, items))
        return [results[position] for position in range(len(items))]

    def in_order(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """``function`` of every item, in their order. However many items there are, only few
        results wait.

        Raises:
            SerbenchError: as ``train``.
        """
        window, done = _Window(iter(items), AHEAD * self.workers), dict[int, R]()
        for position, result in self.each_call(function, window):
            done[position] = result
            while window.taken in done:
                window.taken += 1
                yield done.pop(window.taken - 1)

    def fits(self, tasks: Iterable[FitTask], on_epoch: OnEpoch) -> Iterator[FitResult]:
        """Results of fits as they come, in any order; see ``train`` for ``tasks``.

        Raises:
            OutOfTimeError: the time is ``until``. Each fit still completes its current epoch.
            SerbenchError: as ``train``, and if a GPU has too little memory.
        """
        return self._in_time(fit_student, tasks, on_epoch)

    def pretrainings(
        self, tasks: Iterable[PretrainTask], on_epoch: OnEpoch
    ) -> Iterator[PretrainResult]:
        """Results of pretrainings as they come, in any order.

        Raises:
            OutOfTimeError, SerbenchError: as ``fits``.
        """
        return self._in_time(pretrain, tasks, on_epoch)

    def _in_time(
        self, function: Callable[[T, OnEpoch], R], tasks: Iterable[T], on_epoch: OnEpoch
    ) -> Iterator[R]:
        with _memory_told(self.workers):
            if self.until is None:
                yield from self.train(function, iter(tasks), on_epoch)
                return
            begun = _Begun(iter(tasks), self.until)
            for result in self.train(Timed(function, self.until), begun, on_epoch):
                if result is None:
                    begun.cut = True
                else:
                    yield result
        if begun.cut:
            raise OutOfTimeError


@contextmanager
def _memory_told(workers: int) -> Iterator[None]:
    """
    Raises:
        SerbenchError: a GPU ran out of memory in this block.
    """
    try:
        yield
    except RuntimeError as error:
        # If the memory is too small even to start a process, torch raises another class.
        if not isinstance(error, torch.OutOfMemoryError) and "CUDA error: out of" not in str(error):
            raise
        smaller = "a smaller training.batch_size, or --device cpu"
        raise SerbenchError(
            "a GPU does not have enough memory for "
            + (f"{workers} fits at a time" if workers > 1 else "a fit")
            + "; run the same command again to continue, with "
            + ("fewer --jobs, or fewer workers of a cluster" if workers > 1 else smaller)
        ) from None


class _Window(Iterator[T]):
    """An iterator that gives only a few items ahead of the first result that is not taken yet.

    Attributes:
        taken: number of results that were taken, in the order of items.
    """

    def __init__(self, items: Iterator[T], size: int) -> None:
        self.items = items
        self.size = size
        self.given = 0
        self.taken = 0

    def __next__(self) -> T:
        if self.given - self.taken >= self.size:
            raise StopIteration
        item = next(self.items)
        self.given += 1
        return item


class _Begun(Iterator[T]):
    """An iterator over tasks that gives no more when the time is over.

    Attributes:
        cut: whether a task was left out, or ended too early.
    """

    def __init__(self, tasks: Iterator[T], until: float) -> None:
        self.tasks = tasks
        self.until = until
        self.cut = False

    def __next__(self) -> T:
        task = next(self.tasks)
        if time.time() >= self.until:
            self.cut = True
            raise StopIteration
        return task


@dataclass(frozen=True)
class Timed(Generic[T, R]):
    """A function of a task that ends after the epoch in which the time is over; then its
    result is None.

    The state after the last epoch is in the item's checkpoint, if the epochs took long
    enough for one.
    """

    function: Callable[[T, OnEpoch], R]
    until: float

    def __call__(self, task: T, on_epoch: OnEpoch) -> R | None:
        """The result; None: the time is over."""
        if time.time() >= self.until:
            return None

        def tell(event: EpochEvent) -> None:
            on_epoch(event)
            if time.time() >= self.until and not event.cached and event.epoch < event.epochs:
                raise OutOfTimeError

        try:
            return self.function(task, tell)
        except OutOfTimeError:
            return None
