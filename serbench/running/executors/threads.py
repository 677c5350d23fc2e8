"""Prepares a process for the item that it computes next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from serbench.files.threads import limited_threads
from serbench.learning.blocks import Block, let_go
from serbench.learning.fit.task import FitTask, PretrainTask


def threads_of(item: object) -> int:
    """Number of threads of an item from its settings; 1 for items without settings."""
    if isinstance(item, FitTask):
        return item.settings.training.threads
    if isinstance(item, PretrainTask):
        return item.settings.pretrain.threads
    return 1


@contextmanager
def ready_for(item: object) -> Iterator[None]:
    """Set the threads that the item's settings fix, because results depend on their number. Free
    the memory of the last block's model, unless the item is a block.
    """
    if not isinstance(item, Block):
        let_go()
    with limited_threads(threads_of(item)):
        yield
