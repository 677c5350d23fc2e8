"""Embeddings on disk, written batch by batch, so that a killed pass continues after its last batch.

One folder per key: data are appended to ``frames.f16`` and ``pooled.f32``, ``index.jsonl`` says
which utterances are in them, and ``complete.json`` is written last. A batch counts once its line
is in the index, which is written after its data have reached the disk. Data after the last such
line are cut off when the pass continues.

Each line has the checksum of its batch, so that no damaged batch is used; ``complete.json`` has the
checksum of everything.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from serbench.api import TeacherError, TeacherFeatures
from serbench.files.kept import (
    BLOCK_BYTES,
    DamageError,
    file_digest,
    kept_bytes,
    read_kept,
    write_kept,
)

_LOG = logging.getLogger(__name__)

_FRAMES, _POOLED, _INDEX, _COMPLETE = "frames.f16", "pooled.f32", "index.jsonl", "complete.json"
_HEAD = ("layers", "pooled_dim", "frame_dim")
_FLOAT16_MAX = float(np.finfo(np.float16).max)


class Embedded(NamedTuple):
    """The embeddings of a batch, as they are stored.

    Attributes:
        pooled: ``(U, L, P)`` float32.
        frames: ``(total_frames, L, D)`` float16.
        counts: frames of each utterance.
        frame_rate_hz: frames per second.
    """

    pooled: NDArray[np.float32]
    frames: NDArray[np.float16]
    counts: list[int]
    frame_rate_hz: float

    @classmethod
    def of(cls, features: Sequence[TeacherFeatures], frame_rate_hz: float) -> Embedded:
        """The embeddings that a teacher gave, ready to be stored."""
        pooled = np.stack([f.pooled.float().cpu().numpy() for f in features])
        # Frames are always normalised before use, so a rare value beyond the range of half
        # precision may be clipped.
        frames = [
            f.frames.float().clamp(-_FLOAT16_MAX, _FLOAT16_MAX).cpu().numpy().swapaxes(0, 1)
            for f in features
        ]  # each (F, L, D)
        values = np.concatenate(frames).astype("<f2", order="C")
        return cls(pooled.astype("<f4"), values, [len(each) for each in frames], frame_rate_hz)


@dataclass(slots=True)
class CacheLayout:
    """Content of the cache, in the order in which it was written.

    Attributes:
        layers, pooled_dim, frame_dim: L, P, D; 0 before the first batch.
        ids: utterances.
        counts: frames of each utterance.
        index_bytes: size of the valid part of the index.
    """

    layers: int = 0
    pooled_dim: int = 0
    frame_dim: int = 0
    ids: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    index_bytes: int = 0

    @property
    def frames_bytes(self) -> int:
        """Size of the frames of these utterances."""
        return 2 * sum(self.counts) * self.layers * self.frame_dim

    @property
    def pooled_bytes(self) -> int:
        """Size of the pooled embeddings of these utterances."""
        return 4 * len(self.ids) * self.layers * self.pooled_dim

    def add(self, line: bytes, batch: Mapping[str, list[Any]]) -> None:
        """Add a batch, given by its line in the index."""
        self.ids.extend(batch["ids"])
        self.counts.extend(batch["frames"])
        self.index_bytes += len(line) + 1


@dataclass(frozen=True, slots=True)
class StoredEmbeddings:
    """Embeddings of a complete pass, with the utterances in the order of writing.

    Attributes:
        pooled: ``(U, L, P)`` float32.
        frames: ``(total_frames, L, D)`` float16; both are read-only memory maps.
        frame_rate_hz: frames per second.
        digest: sha256 over ids and values.
    """

    layout: CacheLayout
    pooled: NDArray[np.float32]
    frames: NDArray[np.float16]
    frame_rate_hz: float
    digest: str


def load_complete(folder: Path) -> StoredEmbeddings | None:
    """Embeddings in ``folder``; None if they are absent, unfinished or damaged.

    A warning reports damage.
    """
    if not (folder / _COMPLETE).is_file():
        return None
    return read_kept(folder, _read_complete, "cached embeddings")


def _read_complete(folder: Path) -> StoredEmbeddings:
    """
    Raises:
        DamageError: a file has changed since it was written.
        OSError: a file cannot be read.
    """
    record = json.loads(kept_bytes(folder / _COMPLETE))
    if file_digest(folder / _INDEX) != record["index_sha256"]:
        raise DamageError(f"{_INDEX} has another checksum")
    layout = _read_index(folder / _INDEX)
    sizes = {_FRAMES: layout.frames_bytes, _POOLED: layout.pooled_bytes}
    for name, size_bytes in sizes.items():
        if (folder / name).stat().st_size != size_bytes:
            raise DamageError(f"{name} does not have the size that {_INDEX} gives")
    if _digest(folder, layout) != record["digest"]:
        raise DamageError(f"{_POOLED} or {_FRAMES} has another checksum")
    summary = (len(layout.ids), layout.layers, layout.pooled_dim)
    pooled = np.memmap(folder / _POOLED, dtype="<f4", mode="r", shape=summary)
    shape = (sum(layout.counts), layout.layers, layout.frame_dim)
    frames = np.memmap(folder / _FRAMES, dtype="<f2", mode="r", shape=shape)
    return StoredEmbeddings(layout, pooled, frames, record["frame_rate_hz"], record["digest"])


class EmbeddingWriter:
    """Appends batches to the cache in ``folder``; a context manager.

    Opening it removes data that an interrupted pass has written after its last finished batch.

    Raises:
        TeacherError: the folder cannot be written or the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            if (folder / _COMPLETE).exists():
                shutil.rmtree(folder)  # load_complete has found it damaged
            folder.mkdir(parents=True, exist_ok=True)
            self.layout = _whole_batches(folder)
            self._frames = self._open(_FRAMES, self.layout.frames_bytes)
            self._pooled = self._open(_POOLED, self.layout.pooled_bytes)
            self._index = self._open(_INDEX, self.layout.index_bytes)
        except OSError as error:
            raise _cannot_write(folder, error) from error

    def __enter__(self) -> EmbeddingWriter:
        return self

    def __exit__(self, *_exception: object) -> None:
        for file in (self._frames, self._pooled, self._index):
            with suppress(OSError):  # a full disk was reported when the batch was written
                file.close()

    def append(self, ids: Sequence[str], made: Embedded) -> None:
        """Add one batch; it counts once this returns.

        Raises:
            TeacherError: the disk is full.
        """
        layers, pooled_dim = made.pooled.shape[1:]
        frame_dim = made.frames.shape[2]
        if not self.layout.layers:
            self.layout = CacheLayout(layers, pooled_dim, frame_dim)
        batch = CacheLayout(layers, pooled_dim, frame_dim, list(ids), made.counts)
        values, summary = made.frames.tobytes(), made.pooled.tobytes()
        try:
            _write(self._frames, values)
            _write(self._pooled, summary)
            first = b"" if self.layout.ids else _header(self.layout)
            _write(self._index, first + _line(batch, _batch_sum(batch, values, summary)))
        except OSError as error:
            raise _cannot_write(self.folder, error) from error
        self.layout.ids.extend(ids)
        self.layout.counts.extend(made.counts)

    def finish(self, frame_rate_hz: float) -> None:
        """Mark the pass complete.

        Raises:
            TeacherError, StoreError: the folder cannot be written.
        """
        try:
            record = {
                "digest": _digest(self.folder, self.layout),
                "frame_rate_hz": frame_rate_hz,
                "index_sha256": file_digest(self.folder / _INDEX),
            }
        except OSError as error:
            raise _cannot_write(self.folder, error) from error
        write_kept(self.folder / _COMPLETE, json.dumps(record).encode())

    def _open(self, name: str, kept_bytes: int) -> BinaryIO:
        file = (self.folder / name).open("ab")
        file.truncate(kept_bytes)
        return file


def _read_index(path: Path) -> CacheLayout:
    """All batches of an index whose checksum was found correct."""
    head, *batches = _lines(path)
    layout = _layout(head)
    for line in batches:
        layout.add(line, json.loads(line))
    return layout


def _whole_batches(folder: Path) -> CacheLayout:
    """Batches that an interrupted pass has finished, up to the first damaged one.

    A warning reports damage.
    """
    whole = CacheLayout()
    try:
        head, *batches = _lines(folder / _INDEX) or [b""]
        with (folder / _FRAMES).open("rb") as frames, (folder / _POOLED).open("rb") as pooled:
            for line in batches:
                layout, batch = whole if whole.ids else _layout(head), json.loads(line)
                ids, counts = batch["ids"], batch["frames"]
                own = CacheLayout(layout.layers, layout.pooled_dim, layout.frame_dim, ids, counts)
                read = frames.read(own.frames_bytes), pooled.read(own.pooled_bytes)
                if _batch_sum(own, *read) != batch["sha256"]:
                    raise DamageError(f"the batch that begins with {ids[0]} has another checksum")  # noqa: TRY301
                layout.add(line, batch)
                whole = layout
    except FileNotFoundError:  # nothing has been begun
        pass
    except (OSError, ValueError, KeyError, TypeError, DamageError) as error:
        _LOG.warning(
            "unfinished embeddings in %s are damaged (%s); continuing after %d utterances",
            folder, error, len(whole.ids),
        )  # fmt: skip
    return whole


def _lines(path: Path) -> list[bytes]:
    """Complete lines of an index; text after the last newline is dropped."""
    return path.read_bytes().split(b"\n")[:-1]


def _layout(head: bytes) -> CacheLayout:
    """The layout that an index's first line gives, still without batches."""
    found = json.loads(head)
    layers, pooled_dim, frame_dim = (int(found[name]) for name in _HEAD)
    return CacheLayout(layers, pooled_dim, frame_dim, index_bytes=len(head) + 1)


def _header(layout: CacheLayout) -> bytes:
    return json.dumps({name: getattr(layout, name) for name in _HEAD}).encode() + b"\n"


def _line(batch: CacheLayout, found: str) -> bytes:
    line = {"ids": batch.ids, "frames": batch.counts, "sha256": found}
    return json.dumps(line).encode() + b"\n"


def _batch_sum(batch: CacheLayout, frames: bytes, pooled: bytes) -> str:
    """Checksum of a batch's shape, utterances and values."""
    shape = [batch.layers, batch.pooled_dim, batch.frame_dim, batch.ids, batch.counts]
    digest = hashlib.sha256(json.dumps(shape).encode())
    digest.update(frames)
    digest.update(pooled)
    return digest.hexdigest()


def _digest(folder: Path, layout: CacheLayout) -> str:
    """Digest of a whole pass: its utterances, their numbers of frames, and all values."""
    whole = hashlib.sha256(json.dumps([layout.ids, layout.counts]).encode())
    for name in (_POOLED, _FRAMES):
        with (folder / name).open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                whole.update(block)
    return whole.hexdigest()


def _write(file: BinaryIO, content: bytes) -> None:
    """Write ``content`` and wait until it is on the disk."""
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def _cannot_write(folder: Path, error: OSError) -> TeacherError:
    return TeacherError(
        f"cannot write the embedding cache {folder}: {error.strerror or error}; choose another "
        "cache folder, or free space on its disk, and run the same command again to continue"
    )
