"""The two files of a front end's frames in the cache: the frames of all utterances, and how many.

Both may be of the first utterances only, where the computation was stopped; those that are missing
are then added.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from serbench.api import StoreError
from serbench.files.kept import check_kept, kept_bytes, read_kept, write_kept

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    Kept = tuple[Float[np.memmap, "total d"], Int[NDArray[np.int64], " U"]]


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
            raise StoreError(f"{self.path}.* was just written and cannot be read back")
        return kept

    def write(
        self, begun: Kept | None, pieces: Sequence[Float[NDArray[np.floating], "f d"]]
    ) -> None:
        """Keep ``pieces``, one for each utterance, after what was kept before.

        Raises:
            StoreError: a file cannot be written.
        """
        before, count = begun or (None, np.empty(0, np.int64))
        values = [*pieces] if before is None else [before, *pieces]
        added = np.array([len(piece) for piece in pieces], dtype=np.int64)
        write_kept(self._file("values"), *_npy(values))
        write_kept(self._file("counts"), *_npy([count, added]))

    def _file(self, part: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{part}.npy")


def _npy(pieces: Sequence[NDArray[np.generic]]) -> Iterator[bytes | memoryview]:
    """An ``.npy`` file of arrays one after the other, without a copy of them all in memory."""
    header = io.BytesIO()
    shape = (sum(map(len, pieces)), *pieces[0].shape[1:])
    facts = {"descr": pieces[0].dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, facts)
    yield header.getvalue()
    yield from (np.ascontiguousarray(piece).data for piece in pieces)


def _load(path: Path) -> NDArray[np.int64]:
    return np.load(io.BytesIO(kept_bytes(path)), allow_pickle=False)


def _map(path: Path) -> np.memmap:
    return cast("np.memmap", np.load(check_kept(path), mmap_mode="r", allow_pickle=False))
