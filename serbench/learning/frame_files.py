"""The two files of a front end's frames in the cache: the frames, and how many each utterance has.

They are written block by block under other names, so that a computation that was stopped for any
reason continues after its last block. A block counts once its line is in the index; each line has
the checksum of its block.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from serbench.api import StoreError
from serbench.files.kept import (
    DamageError,
    check_kept,
    keep_file,
    kept_bytes,
    read_kept,
    write_kept,
)

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    Kept = tuple[Float[np.memmap, "total d"], Int[NDArray[np.int64], " U"]]

log = logging.getLogger(__name__)

BLOCK_BYTES = 16 * 1024 * 1024
"""A block is written once it has this size; at most as much is computed again after a kill."""

HEAD_BYTES = 128
"""Size reserved for the header of an ``.npy`` file, which states how many frames follow."""

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class FrameFiles:
    """The files whose names begin with ``path``."""

    path: Path

    def read(self, utterances: int) -> Kept | None:
        """Frames, as a read-only memory map, and how many each utterance has.

        Returns:
            None if the number of utterances differs, or if a file is missing or damaged. A warning
            reports damage.
        """
        count = read_kept(self.file("counts.npy"), _load, "number of cached frames")
        values = read_kept(self.file("values.npy"), _map, "cached frames")
        if count is None or values is None or len(count) != utterances:
            return None
        return (values, count) if len(values) == int(count.sum()) else None

    def written(self, utterances: int) -> Kept:
        """Read the frames that were just written.

        Raises:
            StoreError: it cannot be read back.
        """
        kept = self.read(utterances)
        if kept is None:
            raise StoreError(f"{self.path}.* was just written and cannot be read back")
        return kept

    @property
    def complete(self) -> bool:
        """Whether all frames were written; the files may still be damaged."""
        return self.file("counts.npy").is_file() and self.file("values.npy").is_file()

    def file(self, part: str) -> Path:
        """The file of that part."""
        return self.path.with_name(f"{self.path.name}.{part}")


class FrameWriter:
    """Adds utterances to those that an earlier computation has written; a context manager.

    Args:
        files: the files.

    Attributes:
        counts: frames of each utterance that is written or waits to be written.

    Raises:
        StoreError: a file cannot be written.
    """

    def __init__(self, files: FrameFiles) -> None:
        self._files = files
        self._waiting: list[Array] = []
        self._waiting_bytes = 0
        values, index = files.file("values.part"), files.file("blocks.part")
        blocks, end, index_end = _whole_blocks(values, index)
        self.counts = [count for block in blocks for count in block["counts"]]
        self._form = (blocks[0]["dtype"], blocks[0]["width"]) if blocks else None
        with self._writing():
            values.parent.mkdir(parents=True, exist_ok=True)
            self._values, self._index = _open_at(values, end), _open_at(index, index_end)

    def __enter__(self) -> FrameWriter:
        return self

    def __exit__(self, stopped: object, *_: object) -> None:
        try:
            # If writing a block has failed, no other block can follow it.
            if stopped not in (None, StoreError):
                with suppress(StoreError):  # only the reason for stopping is reported
                    self._write()
        finally:
            for file in (self._values, self._index):
                with suppress(OSError):  # likewise: `finish` has written everything that counts
                    file.close()

    def add(self, piece: Float[Array, "frames d"]) -> None:
        """Add the frames of the next utterance.

        Raises:
            StoreError: a file cannot be written.
        """
        self._waiting.append(piece)
        self.counts.append(len(piece))
        self._waiting_bytes += piece.nbytes
        if self._waiting_bytes >= BLOCK_BYTES:
            self._write()

    def finish(self) -> None:
        """Write the remaining frames and complete the files.

        Raises:
            StoreError: a file cannot be written.
        """
        self._write()
        assert self._form is not None, "a corpus has utterances"
        dtype, width = self._form
        # The counts come first: while they are missing, the unfinished files are used.
        buffer = io.BytesIO()
        np.save(buffer, np.array(self.counts, dtype=np.int64))
        write_kept(self._files.file("counts.npy"), buffer.getvalue())
        with self._writing():
            self._values.seek(0)
            self._values.write(_header(dtype, (sum(self.counts), width)))
            self._values.flush()
            keep_file(self._files.file("values.part"), self._files.file("values.npy"))
            self._files.file("blocks.part").unlink(missing_ok=True)

    def _write(self) -> None:
        """Write all waiting frames as one block."""
        if not self._waiting:
            return
        pieces = [np.ascontiguousarray(piece) for piece in self._waiting]
        self._form = (pieces[0].dtype.str, pieces[0].shape[1])
        digest = hashlib.sha256()
        with self._writing():
            for piece in pieces:
                digest.update(piece.data)
                self._values.write(piece.data)
            _to_disk(self._values)
            line = {
                "counts": [len(piece) for piece in pieces],
                "dtype": self._form[0], "width": self._form[1], "sha256": digest.hexdigest(),
            }  # fmt: skip
            self._index.write(json.dumps(line).encode() + b"\n")
            _to_disk(self._index)
        self._waiting, self._waiting_bytes = [], 0

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn an error of the disk into a ``StoreError`` with advice."""
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"cannot write frames to {self._files.path.parent}: {error.strerror or error}; "
                "free space there, or set SERBENCH_CACHE to a folder on another disk, and run the "
                "same command again to continue"
            ) from error


def _whole_blocks(values: Path, index: Path) -> tuple[list[dict[str, Any]], int, int]:
    """Blocks of a stopped computation up to the first damaged one, and where they end in both
    files. A warning reports damage.
    """
    found: list[dict[str, Any]] = []
    end, index_end = HEAD_BYTES, 0
    try:
        with index.open("rb") as lines, values.open("rb") as file:
            file.seek(HEAD_BYTES)
            for line in lines:
                if not line.endswith(b"\n"):
                    break  # an incomplete line
                block = json.loads(line)
                size = sum(block["counts"]) * block["width"] * np.dtype(block["dtype"]).itemsize
                if hashlib.sha256(file.read(size)).hexdigest() != block["sha256"]:
                    raise DamageError("a block has another checksum")  # noqa: TRY301
                found.append(block)
                end, index_end = end + size, index_end + len(line)
    except FileNotFoundError:  # nothing was begun
        pass
    except (OSError, ValueError, KeyError, TypeError, DamageError) as error:
        done = sum(len(block["counts"]) for block in found)
        log.warning("%s is damaged (%s); continuing after %d utterances", values, error, done)
    return found, end, index_end


def _open_at(path: Path, size: int) -> BinaryIO:
    """Open ``path`` to write after its first ``size`` bytes; the file is cut or filled to them."""
    path.touch()
    file = path.open("r+b")
    file.truncate(size)
    file.seek(size)
    return file


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _header(dtype: str, shape: tuple[int, int]) -> bytes:
    stream = io.BytesIO()
    facts = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, facts)
    header = stream.getvalue()
    # Spaces before the newline at its end; the two bytes before the text say how long it is.
    text = header[10:-1].ljust(HEAD_BYTES - 11) + b"\n"
    return header[:8] + len(text).to_bytes(2, "little") + text


def _load(path: Path) -> NDArray[np.int64]:
    return np.load(io.BytesIO(kept_bytes(path)), allow_pickle=False)


def _map(path: Path) -> np.memmap:
    return cast("np.memmap", np.load(check_kept(path), mmap_mode="r", allow_pickle=False))
