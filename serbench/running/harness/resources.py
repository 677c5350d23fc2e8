"""Folders, caches, devices and workers of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from serbench.running.executors.executor import Executor
from serbench.running.plugins import LoadedPlugin


@dataclass(frozen=True)
class Resources:
    """Folders, caches, devices and workers of a run.

    Attributes:
        runs: folder in which new run folders are created; ``folder`` sets the run's
            own folder instead.
        cache: root of the cache that runs share: corpora, frames, embeddings, fits.
        executor: computes the fits.
    """

    runs: Path
    cache: Path
    device: str
    executor: Executor
    data_dir: Path | None = None
    folder: Path | None = None
    allow_incomplete: bool = False
    command: str = ""
    plugins: Sequence[LoadedPlugin] = ()
