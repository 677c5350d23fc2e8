"""Kinds of cache entries, and the folder of each kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

CacheKind = Literal[
    "fits", "soft-targets", "pretraining", "checkpoints", "embeddings", "features", "audio", "near",
    "replays", "robustness", "prune", "models", "converted", "posteriors", "downloads", "corpora",
    "repeats",
]  # fmt: skip

FOLDERS: Mapping[CacheKind, str] = {
    "fits": "fits",
    "soft-targets": "fits",
    "pretraining": "fits",
    "checkpoints": "checkpoints",
    "embeddings": "embeddings",
    "features": "features",
    "audio": "audio",
    "near": "near",
    "replays": "replays",
    "robustness": "robustness",
    "prune": "prune",
    "models": "deploy/models",
    "converted": "deploy/converted",
    "posteriors": "deploy/posteriors",
    "downloads": "downloads",
    "corpora": "corpora",
    "repeats": "repeats",
}
"""Folder of each kind below the cache. In a folder of several kinds, entries state their kind."""


def kind_folder(cache: Path, kind: CacheKind) -> Path:
    """The folder of one kind of entries; it is not created."""
    return cache / FOLDERS[kind]
