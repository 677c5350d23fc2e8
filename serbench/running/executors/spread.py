"""Where blocks of speech are computed."""

from __future__ import annotations

from collections.abc import Callable

from serbench.data.corpus.table import Recording
from serbench.learning.blocks import Mapper, Spread
from serbench.running.executors.executor import Executor
from serbench.running.executors.local import LocalExecutor, resolve_workers


def spread_over(executor: Executor, device: str, announce: Callable[[str], None]) -> Spread:
    """The executor's workers, where they can read the recordings.

    Args:
        executor: of the fits. One worker of this machine is this process.
        device: where models run; an accelerator of this machine has one copy of each.
        announce: told where the workers cannot read the recordings.
    """

    def choose(recording: Recording) -> Mapper | None:
        if isinstance(executor, LocalExecutor):
            return executor.in_order if executor.workers > 1 and device == "cpu" else None
        if executor.reads(recording.path):
            return executor.in_order
        announce(
            f"the workers cannot read {recording.path}: this process computes the features and "
            "embeddings; share the corpus's folder with all machines to use them"
        )
        return None

    return choose


def spread_here(device: str) -> Spread:
    """All cores of this machine."""
    return spread_over(LocalExecutor(resolve_workers(None, device)), device, lambda _: None)
