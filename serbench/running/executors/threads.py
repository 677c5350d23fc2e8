"""What a process does before it computes an item."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from serbench.files.threads import limited_threads
from serbench.learning.blocks import Block, let_go
from serbench.learning.fit.task import FitTask, PretrainTask


def threads_of(item: object) -> int:
    """Threads of an item: as its settings say; 1 for items that have none."""
    if isinstance(item, FitTask):
        return item.settings.training.threads
    if isinstance(item, PretrainTask):
        return item.settings.pretrain.threads
    return 1


@contextmanager
def ready_for(item: object) -> Iterator[None]:
    """Threads as the item's settings say, because results depend on their number, so that a plan
    fixes it; and the memory of the last block's model freed, unless the item is a block.
    """
    if not isinstance(item, Block):
        let_go()
    with limited_threads(threads_of(item)):
        yield
