"""Rows of arrays that are mapped from files: read when needed, and released from memory again."""

from __future__ import annotations

import mmap
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RELEASED_BYTES = 64 * 1024 * 1024
"""After so many bytes, a process releases the file's pages; the system's cache may keep them."""


class MappedRows:
    """Rows of several arrays that are never in memory as a whole.

    Args:
        arrays: ``(rows, d)`` each, usually memory maps.
    """

    def __init__(self, arrays: Sequence[NDArray[np.floating]]) -> None:
        self._arrays = arrays
        self._read_bytes = 0

    def rows(self, array: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.floating]:
        """A copy ``(n, d)`` of the rows ``places (n,)``; ``array (n,)`` is the number of each
        row's array.
        """
        if len(self._arrays) == 1:
            found = np.asarray(self._arrays[0])[places]
        else:
            first = self._arrays[0]
            found = np.empty((len(places), *first.shape[1:]), first.dtype)
            for number, values in enumerate(self._arrays):
                own = array == number
                found[own] = np.asarray(values)[places[own]]
        self._read_bytes += found.nbytes
        if self._read_bytes >= RELEASED_BYTES:
            self._read_bytes = 0
            for values in self._arrays:
                release(values)
        return found


def release(values: NDArray[np.generic]) -> None:
    """Release the pages of a mapped array; they are read again when they are needed."""
    base: object = values
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
