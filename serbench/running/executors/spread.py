"""Chooses where blocks of speech are computed."""

from __future__ import annotations

from collections.abc import Callable

from serbench.data.corpus.table import Recording
from serbench.learning.blocks import Mapper, Spread
from serbench.running.executors.executor import Executor
from serbench.running.executors.local import LocalExecutor, resolve_workers


def spread_over(executor: Executor, device: str, announce: Callable[[str], None]) -> Spread:
    """The executor's workers, if they can read the recordings.

    Args:
        executor: the executor of the fits. If it has one worker on this machine, that
            is this process.
        device: device of the models; an accelerator of this machine has one copy of each model.
        announce: receives a message if the workers cannot read the recordings.
    """

    def choose(recording: Recording) -> Mapper | None:
        if isinstance(executor, LocalExecutor):
            return executor.in_order if executor.workers > 1 and device == "cpu" else None
        if executor.reads(recording.path):
            return executor.in_order
        announce(
            f"the workers cannot read {recording.path}: this process computes the features and "
            "embeddings; to use the workers, share the corpus's folder with all machines"
        )
        return None

    return choose


def spread_here(device: str) -> Spread:
    """All cores of this machine, as the place of computation."""
    return spread_over(LocalExecutor(resolve_workers(None, device)), device, lambda _: None)
