"""Items for other machines: small pickles, and the large arrays that many of them share.

The frames of a corpus are in every fit. An array travels once: it is named by its content, and the
engine keeps it. Where workers read the same cache folder, they map the file instead.
"""

from __future__ import annotations

import hashlib
import io
import mmap
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

LARGE = 64 * 1024
"""Bytes from which on an array is kept apart."""

Array = NDArray[np.generic]


class InFile(NamedTuple):
    """An array in a file that is mapped.

    Attributes:
        offset: of its first byte.
        size: of the file; another file at this place is not taken for it.
    """

    path: str
    offset: int
    dtype: str
    shape: tuple[int, ...]
    size: int

    def open(self) -> Array:
        """The array, mapped so that torch may have it, and nothing is written back.

        Raises:
            FileNotFoundError: no such file, or another one.
        """
        if not Path(self.path).is_file() or Path(self.path).stat().st_size != self.size:
            raise FileNotFoundError(self.path)
        return np.memmap(self.path, np.dtype(self.dtype), "c", self.offset, self.shape)


class InTensor(NamedTuple):
    """A tensor whose values are such an array."""

    values: InFile | str


Place = InFile | InTensor | str
"""Where the values of an array are; a name: they are sent."""


@dataclass(frozen=True)
class Packed:
    """An item without its large arrays.

    Attributes:
        pickled: the item; arrays in files are in it by their place.
        arrays: names of those that it needs besides.
        packages: top-level packages whose classes and functions it uses.
    """

    pickled: bytes
    arrays: tuple[str, ...]
    packages: frozenset[str]

    def unpack(self, arrays: Mapping[str, Array]) -> Any:
        """The item again.

        Args:
            arrays: by name; at least those of ``arrays``.

        Raises:
            FileNotFoundError: a file that the item's arrays are in is not here.
        """
        return _Unpickler(self.pickled, arrays).load()


class Packer:
    """Packs items; an array that several of them share is named once.

    Args:
        by_path: whether workers can read the files that arrays are mapped from.
        keep: called once for each array that must be sent, with its name.
    """

    def __init__(self, keep: Callable[[str, Array], None], *, by_path: bool) -> None:
        self.keep = keep
        self.by_path = by_path
        self._named: dict[int, tuple[Array, str]] = {}
        self._kept: set[str] = set()

    def pack(self, item: object) -> Packed:
        """The item in parts."""
        stream = io.BytesIO()
        pickler = _Pickler(stream, self)
        pickler.dump(item)
        used = tuple(dict.fromkeys(pickler.used))
        return Packed(stream.getvalue(), used, frozenset(pickler.packages))

    def place(self, array: Array) -> InFile | str:
        """Where workers find an array: in a file, or by name."""
        if self.by_path and (found := in_file(array)) is not None:
            return found
        known = self._named.get(id(array))
        if known is None:
            # The array is held, so that no other one gets its identity.
            known = self._named[id(array)] = (array, _name(array))
        name = known[1]
        if name not in self._kept:
            self._kept.add(name)
            self.keep(name, np.asarray(array))
        return name


class _Pickler(pickle.Pickler):
    """Leaves large arrays out, and notes whose code the rest uses."""

    def __init__(self, stream: io.BytesIO, packer: Packer) -> None:
        super().__init__(stream, protocol=5)
        self._packer = packer
        self.used: list[str] = []
        self.packages: set[str] = set()

    def persistent_id(self, obj: object) -> Place | None:
        """Where an array is, for the unpickler; None: anything else, which is pickled."""
        if isinstance(obj, torch.Tensor):
            if obj.requires_grad or obj.device.type != "cpu" or obj.nbytes < LARGE:
                return None
            return InTensor(self._place(obj.numpy()))
        if not isinstance(obj, np.ndarray) or obj.dtype.hasobject or obj.nbytes < LARGE:
            return None
        return self._place(obj)

    def reducer_override(self, obj: object) -> Any:
        """Changes nothing: classes and functions pass here, and are pickled by their names."""
        if isinstance(obj, type | FunctionType):
            self.packages.add(obj.__module__.partition(".")[0])
        return NotImplemented

    def _place(self, array: Array) -> InFile | str:
        place = self._packer.place(array)
        if isinstance(place, str):
            self.used.append(place)
        return place


class _Unpickler(pickle.Unpickler):
    """Puts arrays in again."""

    def __init__(self, pickled: bytes, arrays: Mapping[str, Array]) -> None:
        super().__init__(io.BytesIO(pickled))
        self._arrays = arrays

    def persistent_load(self, pid: Place) -> Array | torch.Tensor:
        """The array of a place."""
        if isinstance(pid, InTensor):
            return torch.from_numpy(np.array(self._array(pid.values)))
        return self._array(pid)

    def _array(self, place: InFile | str) -> Array:
        return self._arrays[place] if isinstance(place, str) else place.open()


def in_file(array: Array) -> InFile | None:
    """The place in a file of a mapped array that is there end to end; None: it is none."""
    base: object = array
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    path = getattr(array, "filename", None)
    if not isinstance(base, mmap.mmap) or path is None or not array.flags.c_contiguous:
        return None
    mapped = np.frombuffer(base, np.uint8)
    # A map begins at the page that holds the original array's offset.
    begin = array.offset - array.offset % mmap.ALLOCATIONGRANULARITY  # pyright: ignore
    offset = begin + array.ctypes.data - mapped.ctypes.data
    return InFile(str(path), offset, array.dtype.str, array.shape, Path(path).stat().st_size)


def _name(array: Array) -> str:
    """Of its content."""
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
