"""A cache to clean: entries as serbench writes them, at the ages that are wanted."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np

from serbench.files.cache_kinds import CacheKind
from serbench.files.kept import write_kept
from serbench.running.store.cache import FitCache


class CacheMaker:
    """Files below ``root``, and helpers to make them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now_s = time.time()

    def file(self, path: str, days: float = 0.0, content: bytes = b"x", read: float = -1) -> Path:
        """A file, written ``days`` ago, and read ``read`` days ago where that is not negative."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        self.age(place, days, read)
        return place

    def kept(self, path: str, days: float = 0.0, content: bytes = b"x", read: float = -1) -> Path:
        """As ``file``, with a checksum."""
        place = self.root / path
        write_kept(place, content)
        self.age(place, days, read)
        return place

    def age(self, place: Path, days: float, read: float = -1) -> None:
        written = self.now_s - 86_400 * days
        used = written if read < 0 else self.now_s - 86_400 * read
        os.utime(place, (used, written))

    def fit(self, number: int, days: float = 0.0, kind: CacheKind = "fits") -> str:
        """An entry of a ``FitCache``; its path below the cache."""
        key = f"{number:02x}" * 32
        kept = FitCache(self.root, kind)
        kept.put(key, {"seconds": 1.0}, {"posteriors": np.ones((2, 3), np.float32)})
        self.age(kept.path(key), days)
        return kept.path(key).relative_to(self.root).as_posix()

    def embeddings(self, number: int, days: float = 0.0, complete: bool = True) -> str:
        """A teacher's pass, whole or begun; its folder below the cache."""
        path = f"embeddings/encoder-{number:032x}"
        for name in ("frames.f16", "pooled.f32", "index.jsonl"):
            self.file(f"{path}/{name}", days)
        if complete:
            self.kept(f"{path}/complete.json", days, json.dumps({"digest": "0"}).encode())
        self.file(f"{path}.lock", days, b"")
        return path

    def features(self, number: int, days: float = 0.0) -> str:
        """Both files of a front end; what they have in common of their paths."""
        path = f"features/{number:024x}"
        for part in ("values", "counts"):
            self.kept(f"{path}.{part}.npy", days)
        return path

    def files(self) -> set[str]:
        """Every file and link, by its path below the cache."""
        return {
            (Path(folder) / name).relative_to(self.root).as_posix()
            for folder, folders, names in os.walk(self.root)
            for name in (*names, *(each for each in folders if (Path(folder) / each).is_symlink()))
        }
