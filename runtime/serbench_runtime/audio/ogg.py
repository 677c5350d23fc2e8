"""Pages of Ogg files (RFC 3533), which show whether a file is complete."""

from __future__ import annotations

import os
from typing import BinaryIO

SEVERAL = "several recordings one after the other in one file; split them"

_HEADER = 27
_FIRST, _LAST = 2, 4
"""Flags of a page: the first and the last of its stream."""


def check_pages(file: BinaryIO, size: int) -> str | None:
    """The fault of an Ogg file; None: it has none.

    libsndfile shortens a truncated file to its last complete page, and reads only the first of
    several consecutive streams.

    Args:
        file: a file at any position.
        size: size of the file in bytes.
    """
    start = 0
    begun = ended = False
    while start < size:
        file.seek(start)
        header = file.read(_HEADER)
        if not header.startswith(b"OggS"):
            # Data after the last page, such as a tag, are not part of the stream.
            return None if ended else f"damaged: no page of Ogg begins at byte {start}"
        lengths = file.read(header[26]) if len(header) == _HEADER else b""
        if len(header) < _HEADER or len(lengths) < header[26]:
            return "truncated: it ends within a page"
        if header[5] & _FIRST and begun:
            return SEVERAL
        begun = begun or not header[5] & _FIRST
        ended = ended or bool(header[5] & _LAST)
        start = file.seek(sum(lengths), os.SEEK_CUR)
    return None if start == size else "truncated: it ends within a page"
