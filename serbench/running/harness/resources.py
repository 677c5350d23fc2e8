"""Where a run reads, keeps and computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from serbench.running.plugins import LoadedPlugin


@dataclass(frozen=True)
class Resources:
    """Where a run reads, keeps and computes.

    Attributes:
        runs: folder that run folders are made in; ``folder`` names one run's own instead.
        cache: shared by runs: corpora, frames, embeddings, fits.
        workers: fits side by side.
    """

    runs: Path
    cache: Path
    device: str
    workers: int
    data_dir: Path | None = None
    folder: Path | None = None
    allow_incomplete: bool = False
    command: str = ""
    plugins: Sequence[LoadedPlugin] = ()
