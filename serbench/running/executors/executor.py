"""What every executor can do: train, and call a function for each of some items."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from serbench.learning.fit.estimate import fit_student
from serbench.learning.fit.loop import OnEpoch
from serbench.learning.fit.pretrain import pretrain
from serbench.learning.fit.task import FitResult, FitTask, PretrainResult, PretrainTask

T = TypeVar("T")
R = TypeVar("R")


class Executor(ABC):
    """Computes independent items; the results do not depend on which executor does it.

    Functions must be importable by name where they run, and items must be picklable.

    Attributes:
        workers: items side by side.
    """

    workers: int

    @abstractmethod
    def train(
        self, function: Callable[[T, OnEpoch], R], tasks: Sequence[T], on_epoch: OnEpoch
    ) -> Iterator[R]:
        """Results of ``function`` as they come, in any order; ``on_epoch`` receives each epoch.

        Raises:
            SerbenchError: workers were lost, or differ from this machine in code or versions.
        """

    @abstractmethod
    def each_call(self, function: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[int, R]]:
        """The position of each item and ``function`` of it, as they come, in any order.

        Raises:
            SerbenchError: as ``train``.
        """

    @abstractmethod
    def device(self, name: str) -> str:
        """The device that ``--device`` names, where items are computed.

        Raises:
            SerbenchError: it is not usable there, or workers differ in it.
        """

    @abstractmethod
    def shut_down(self) -> None:
        """Give back workers that are kept between stages; a later call takes new ones."""

    def calls(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """``function`` of every item, in their order."""
        results = dict(self.each_call(function, items))
        return [results[position] for position in range(len(items))]

    def fits(self, tasks: Sequence[FitTask], on_epoch: OnEpoch) -> Iterator[FitResult]:
        """Results of fits as they come, in any order."""
        return self.train(fit_student, tasks, on_epoch)

    def pretrainings(
        self, tasks: Sequence[PretrainTask], on_epoch: OnEpoch
    ) -> Iterator[PretrainResult]:
        """Results of pretrainings as they come, in any order."""
        return self.train(pretrain, tasks, on_epoch)
