"""The two files of a front end's frames in the cache: the frames of all utterances, and how many.

Both may be of the first utterances only, where the computation was stopped; those that are missing
are then added.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from serbench.api import StoreError
from serbench.files.kept import check_kept, kept_bytes, read_kept, write_kept

if TYPE_CHECKING:
    from jaxtyping import Float32, Int

    Kept = tuple[Float32[np.memmap, "total d"], Int[NDArray[np.int64], " U"]]


@dataclass(frozen=True, slots=True)
class FrameFiles:
    """The files whose names begin with ``path``."""

    path: Path

    def read(self, utterances: int = 0) -> Kept | None:
        """Frames, as a read-only memory map, and how many each of the first utterances has.

        Args:
            utterances: as many are wanted at least.

        Returns:
            None: there are not so many, or a file is damaged (which is told).
        """
        count = read_kept(self._file("counts"), _load, "number of cached frames")
        values = read_kept(self._file("values"), _map, "cached frames")
        if count is None or values is None or len(count) < utterances:
            return None
        # More frames than counts: it was stopped after it had written the frames.
        total = int(count.sum())
        if len(values) < total:
            return None
        return (values if len(values) == total else cast("np.memmap", values[:total])), count

    def written(self, utterances: int) -> Kept:
        """What was just written.

        Raises:
            StoreError: it cannot be read back.
        """
        kept = self.read(utterances)
        if kept is None:
            raise StoreError(f"what was just written to {self.path}.* cannot be read back")
        return kept

    def write(
        self, begun: Kept | None, pieces: Sequence[Float32[NDArray[np.float32], "f d"]]
    ) -> None:
        """Keep ``pieces``, one for each utterance, after what was kept before.

        Raises:
            StoreError: a file cannot be written.
        """
        values, count = begun if begun else (pieces[0][:0], np.empty(0, np.int64))
        added = np.array([len(piece) for piece in pieces], dtype=np.int64)
        write_kept(self._file("values"), _npy(np.concatenate([values, *pieces])))
        write_kept(self._file("counts"), _npy(np.concatenate([count, added])))

    def _file(self, part: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{part}.npy")


def _npy(array: NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _load(path: Path) -> NDArray[np.int64]:
    return np.load(io.BytesIO(kept_bytes(path)), allow_pickle=False)


def _map(path: Path) -> np.memmap:
    return cast("np.memmap", np.load(check_kept(path), mmap_mode="r", allow_pickle=False))
