"""Embeddings on disk, written batch by batch, so that a killed pass goes on where it was.

One folder per key: ``frames.f16`` and ``pooled.f32`` grow by appending, ``index.jsonl`` says
which utterances are in them, and ``complete.json`` is written last. A batch counts once its line
stands in the index, which is after its data have reached the disk; whatever lies behind the last
such line is cut off when the pass goes on.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from serbench.api import TeacherError, TeacherFeatures

_LOG = logging.getLogger(__name__)

_FRAMES, _POOLED, _INDEX, _COMPLETE = "frames.f16", "pooled.f32", "index.jsonl", "complete.json"
_FLOAT16_MAX = float(np.finfo(np.float16).max)


@dataclass(slots=True)
class CacheLayout:
    """What is in the cache, in the order in which it was written.

    Attributes:
        layers, pooled_dim, frame_dim: L, P, D; 0 before the first batch.
        ids: utterances.
        counts: frames of each.
        index_bytes: size of the index that counts.
    """

    layers: int = 0
    pooled_dim: int = 0
    frame_dim: int = 0
    ids: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    index_bytes: int = 0

    @property
    def frames_bytes(self) -> int:
        """Size of the frames that count."""
        return 2 * sum(self.counts) * self.layers * self.frame_dim

    @property
    def pooled_bytes(self) -> int:
        """Size of the pooled embeddings that count."""
        return 4 * len(self.ids) * self.layers * self.pooled_dim


@dataclass(frozen=True, slots=True)
class StoredEmbeddings:
    """A complete pass, utterances in the order of writing.

    Attributes:
        pooled: ``(U, L, P)`` float32.
        frames: ``(total_frames, L, D)`` float16, a read-only memory map.
        frame_rate_hz: frames per second.
        digest: sha256 over ids and values.
    """

    layout: CacheLayout
    pooled: NDArray[np.float32]
    frames: NDArray[np.float16]
    frame_rate_hz: float
    digest: str


def load_complete(folder: Path) -> StoredEmbeddings | None:
    """What ``folder`` holds, or None where it is absent, unfinished or damaged (then logged)."""
    if not (folder / _COMPLETE).is_file():
        return None
    try:
        record = json.loads((folder / _COMPLETE).read_text("utf-8"))
        layout = _read_index(folder / _INDEX)
        pooled = np.fromfile(folder / _POOLED, dtype="<f4")
        pooled = pooled.reshape(len(layout.ids), layout.layers, layout.pooled_dim)
        total = sum(layout.counts)
        shape = (total, layout.layers, layout.frame_dim)
        if (folder / _FRAMES).stat().st_size != layout.frames_bytes:
            raise ValueError(f"{_FRAMES} has not the size that {_INDEX} says")  # noqa: TRY301
        frames = np.memmap(folder / _FRAMES, dtype="<f2", mode="r", shape=shape)
        if _pooled_digest(pooled) != record["pooled_sha256"]:
            raise ValueError(f"{_POOLED} is not what was written")  # noqa: TRY301
        rate_hz, digest = float(record["frame_rate_hz"]), str(record["digest"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        _LOG.warning("cached embeddings in %s are damaged (%s): made anew", folder, error)
        return None
    return StoredEmbeddings(layout, pooled, frames, rate_hz, digest)


class EmbeddingWriter:
    """Appends batches to the cache in ``folder``; a context manager.

    Opening it drops what an interrupted pass left behind the last finished batch.

    Raises:
        TeacherError: the folder cannot be written or the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            if (folder / _COMPLETE).exists():
                shutil.rmtree(folder)  # load_complete has found it damaged
            folder.mkdir(parents=True, exist_ok=True)
            self.layout = self._usable()
            self._frames = self._open(_FRAMES, self.layout.frames_bytes)
            self._pooled = self._open(_POOLED, self.layout.pooled_bytes)
            self._index = self._open(_INDEX, self.layout.index_bytes)
        except OSError as error:
            raise _cannot_write(folder, error) from error

    def __enter__(self) -> EmbeddingWriter:
        return self

    def __exit__(self, *_exception: object) -> None:
        for file in (self._frames, self._pooled, self._index):
            file.close()

    def append(self, ids: Sequence[str], features: Sequence[TeacherFeatures]) -> None:
        """Add one batch; it counts once this returns."""
        layers, pooled_dim = features[0].pooled.shape
        frame_dim = features[0].frames.shape[2]
        if not self.layout.layers:
            self.layout = CacheLayout(layers, pooled_dim, frame_dim)
        pooled = np.stack([f.pooled.float().cpu().numpy() for f in features])
        # Frames are normalised wherever they are used, so the rare value beyond half precision
        # may be cut to its greatest.
        frames = [
            f.frames.float().clamp(-_FLOAT16_MAX, _FLOAT16_MAX).cpu().numpy().swapaxes(0, 1)
            for f in features
        ]  # each (F, L, D)
        counts = [len(frame) for frame in frames]
        try:
            _write(self._frames, np.concatenate(frames).astype("<f2"))
            _write(self._pooled, pooled.astype("<f4"))
            first = b"" if self.layout.ids else _header(self.layout)
            _write(self._index, first + _line(ids, counts))
        except OSError as error:
            raise _cannot_write(self.folder, error) from error
        self.layout.ids.extend(ids)
        self.layout.counts.extend(counts)

    def finish(self, frame_rate_hz: float) -> None:
        """Mark the pass complete.

        Raises:
            TeacherError: the folder cannot be written.
        """
        whole = hashlib.sha256(json.dumps([self.layout.ids, self.layout.counts]).encode())
        try:
            for name in (_POOLED, _FRAMES):
                with (self.folder / name).open("rb") as file:
                    while block := file.read(1 << 20):
                        whole.update(block)
            record = {
                "digest": whole.hexdigest(),
                "frame_rate_hz": frame_rate_hz,
                "pooled_sha256": _pooled_digest(np.fromfile(self.folder / _POOLED, dtype="<f4")),
            }
            temporary = self.folder / f"{_COMPLETE}.part"
            with temporary.open("wb") as file:
                _write(file, json.dumps(record).encode())
            temporary.replace(self.folder / _COMPLETE)
        except OSError as error:
            raise _cannot_write(self.folder, error) from error

    def _usable(self) -> CacheLayout:
        """What of an earlier, interrupted pass can be kept."""
        try:
            layout = _read_index(self.folder / _INDEX)
            held = [(_FRAMES, layout.frames_bytes), (_POOLED, layout.pooled_bytes)]
            whole = all((self.folder / name).stat().st_size >= size for name, size in held)
        except (OSError, ValueError, KeyError, TypeError):
            return CacheLayout()
        return layout if whole else CacheLayout()

    def _open(self, name: str, kept_bytes: int) -> BinaryIO:
        file = (self.folder / name).open("ab")
        file.truncate(kept_bytes)
        return file


def _read_index(path: Path) -> CacheLayout:
    """The index up to a torn last line; empty where no batch was finished."""
    lines = path.read_bytes().split(b"\n")[:-1]  # what follows the last newline is torn
    if len(lines) < 2:
        return CacheLayout()
    head = json.loads(lines[0])
    layout = CacheLayout(int(head["layers"]), int(head["pooled_dim"]), int(head["frame_dim"]))
    for line in lines[1:]:
        batch = json.loads(line)
        layout.ids.extend(batch["ids"])
        layout.counts.extend(batch["frames"])
    layout.index_bytes = sum(len(line) + 1 for line in lines)
    return layout


def _header(layout: CacheLayout) -> bytes:
    head = {
        "layers": layout.layers,
        "pooled_dim": layout.pooled_dim,
        "frame_dim": layout.frame_dim,
    }
    return json.dumps(head).encode() + b"\n"


def _line(ids: Sequence[str], counts: Sequence[int]) -> bytes:
    return json.dumps({"ids": list(ids), "frames": list(counts)}).encode() + b"\n"


def _write(file: BinaryIO, content: bytes | NDArray[np.generic]) -> None:
    """Write and wait until it is on the disk."""
    file.write(content if isinstance(content, bytes) else np.ascontiguousarray(content).data)
    file.flush()
    os.fsync(file.fileno())


def _pooled_digest(pooled: NDArray[np.float32]) -> str:
    return hashlib.sha256(np.ascontiguousarray(pooled).data).hexdigest()


def _cannot_write(folder: Path, error: OSError) -> TeacherError:
    return TeacherError(
        f"cannot write the embedding cache {folder}: {error.strerror or error}; choose another "
        "cache folder, or make room on its disk, and run the same command again to go on"
    )
