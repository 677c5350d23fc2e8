"""Items for other machines: small pickles, and the large arrays that many of them share.

Every fit needs the frames of a corpus. An array is sent only once: its name is a digest of its
content, and the engine keeps it. If workers read the same cache folder, they map the file instead.
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
"""Size in bytes from which on an array is packed separately."""

Array = NDArray[np.generic]


class InFile(NamedTuple):
    """An array in a file that is mapped to memory.

    Attributes:
        offset: position of its first byte.
        size: size of the file in bytes, by which another file at the same path is recognised.
    """

    path: str
    offset: int
    dtype: str
    shape: tuple[int, ...]
    size: int

    def open(self) -> Array:
        """The array, mapped so that torch accepts it, and changes are never written to the file.

        Raises:
            FileNotFoundError: the file does not exist, or is another one.
        """
        if not Path(self.path).is_file() or Path(self.path).stat().st_size != self.size:
            raise FileNotFoundError(self.path)
        return np.memmap(self.path, np.dtype(self.dtype), "c", self.offset, self.shape)


class InTensor(NamedTuple):
    """A tensor whose values are in such a mapped array."""

    values: InFile | str


Place = InFile | InTensor | str
"""Where the values of an array are; a string is the name of an array that is sent."""


@dataclass(frozen=True)
class Packed:
    """An item without its large arrays.

    Attributes:
        pickled: the item; for an array in a file, it contains the place.
        arrays: names of the other arrays that it needs.
        packages: top-level packages whose classes and functions it uses.
    """

    pickled: bytes
    arrays: tuple[str, ...]
    packages: frozenset[str]

    def unpack(self, arrays: Mapping[str, Array]) -> Any:
        """Restore the item.

        Args:
            arrays: arrays by name; at least those in the attribute ``arrays``.

        Raises:
            FileNotFoundError: this machine does not have a file that contains arrays of the item.
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
        """Pack an item."""
        stream = io.BytesIO()
        pickler = _Pickler(stream, self)
        pickler.dump(item)
        used = tuple(dict.fromkeys(pickler.used))
        return Packed(stream.getvalue(), used, frozenset(pickler.packages))

    def place(self, array: Array) -> InFile | str:
        """Where workers find an array: its place in a file, or its name."""
        if self.by_path and (found := in_file(array)) is not None:
            return found
        known = self._named.get(id(array))
        if known is None:
            # The array is kept alive, so that no other array gets the same id.
            known = self._named[id(array)] = (array, _name(array))
        name = known[1]
        if name not in self._kept:
            self._kept.add(name)
            self.keep(name, np.asarray(array))
        return name


class _Pickler(pickle.Pickler):
    """Leaves large arrays out, and records which packages the other parts use."""

    def __init__(self, stream: io.BytesIO, packer: Packer) -> None:
        super().__init__(stream, protocol=5)
        self._packer = packer
        self.used: list[str] = []
        self.packages: set[str] = set()

    def persistent_id(self, obj: object) -> Place | None:
        """Place of a large array, for the unpickler; None for any other object, which is
        pickled.
        """
        if isinstance(obj, torch.Tensor):
            if obj.requires_grad or obj.device.type != "cpu" or obj.nbytes < LARGE:
                return None
            return InTensor(self._place(obj.numpy()))
        if not isinstance(obj, np.ndarray) or obj.dtype.hasobject or obj.nbytes < LARGE:
            return None
        return self._place(obj)

    def reducer_override(self, obj: object) -> Any:
        """Record the package of a class or function; all objects are pickled as usual."""
        if isinstance(obj, type | FunctionType):
            self.packages.add(obj.__module__.partition(".")[0])
        return NotImplemented

    def _place(self, array: Array) -> InFile | str:
        place = self._packer.place(array)
        if isinstance(place, str):
            self.used.append(place)
        return place


class _Unpickler(pickle.Unpickler):
    """Puts the arrays back in."""

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
    """Place of a mapped array in its file; None if it is not a contiguous array of a
    mapped file.
    """
    base: object = array
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    path = getattr(array, "filename", None)
    if not isinstance(base, mmap.mmap) or path is None or not array.flags.c_contiguous:
        return None
    mapped = np.frombuffer(base, np.uint8)
    # A mapping begins at the page that contains the original array's offset.
    begin = array.offset - array.offset % mmap.ALLOCATIONGRANULARITY  # pyright: ignore
    offset = begin + array.ctypes.data - mapped.ctypes.data
    return InFile(str(path), offset, array.dtype.str, array.shape, Path(path).stat().st_size)


def _name(array: Array) -> str:
    """Name of an array, made from its content."""
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
