"""Threads of a computation: results depend on their number, so that a plan fixes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

from serbench.learning.fit.task import FitTask, PretrainTask


def threads_of(item: object) -> int:
    """Threads of an item: as its settings say; 1 for items that have none."""
    if isinstance(item, FitTask):
        return item.settings.training.threads
    if isinstance(item, PretrainTask):
        return item.settings.pretrain.threads
    return 1


@contextmanager
def limited_threads(count: int = 1) -> Iterator[None]:
    """As many threads for torch, and for the libraries below NumPy and scikit-learn."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(limits=count):
            yield
    finally:
        torch.set_num_threads(before)
