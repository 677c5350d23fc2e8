"""Files on a disk that may be full."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer


class SmallDisk(io.FileIO):
    """A file on a disk that may be full.

    Attributes:
        room: bytes that may still be written to all such files.
    """

    room = 0

    def write(self, data: Buffer, /) -> int:
        fits = bytes(data)[: SmallDisk.room]
        if not fits:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        SmallDisk.room -= len(fits)
        return super().write(fits)


def open_on_small_disk(path: Path, size: int) -> io.BufferedRandom:
    """``path``, cut or filled up to ``size``, to write behind."""
    path.touch()
    file = io.BufferedRandom(SmallDisk(path, "r+b"))
    file.truncate(size)
    file.seek(size)
    return file
