"""Fingerprints and pairs on disk.

Fingerprints lie in blocks of many recordings, each found by the digest of its audio: a corpus that
grew by one file adds one small block, and two corpora that share audio share fingerprints. What is
damaged is removed with a warning and made anew.
"""

from __future__ import annotations

import io
import json
import logging
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from serbench.files.atomic import json_bytes, write_atomically
from serbench.files.digests import name_digest
from serbench.protocol.guard.near.fingerprints import Words

log = logging.getLogger(__name__)

T = TypeVar("T")

Row = tuple[str, str, float, float]
"""A pair as it is stored: two ids, similarity, offset in seconds."""

_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


def load_fingerprints(folder: Path, wanted: set[str]) -> dict[str, Words]:
    """Those of the ``wanted`` PCM digests that ``folder`` has."""
    found: dict[str, Words] = {}
    for path in sorted(folder.glob("*.npz")):
        found.update(_whole(path, lambda path: _read_block(path, wanted)) or {})
    return found


def store_fingerprints(folder: Path, fingerprints: Mapping[str, Words]) -> None:
    """Add a block of fingerprints by PCM digest.

    Raises:
        StoreError: it cannot be written.
    """
    digests = sorted(fingerprints)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        digests=np.array(digests, dtype="S64"),
        counts=np.array([len(fingerprints[d]) for d in digests], dtype="<i8"),
        words=np.concatenate([fingerprints[d] for d in digests]).astype("<u4"),
    )
    name = name_digest("".join(digests), 32)
    write_atomically(folder / f"{name}.npz", buffer.getvalue())


def load_pairs(path: Path) -> list[Row] | None:
    """What ``store_pairs`` wrote, or None."""
    return _whole(path, _read_pairs) if path.exists() else None


def store_pairs(path: Path, rows: Sequence[Row]) -> None:
    """Write the pairs of a corpus.

    Raises:
        StoreError: they cannot be written.
    """
    write_atomically(path, json_bytes({"pairs": rows}, "near-duplicates"))


def _whole(path: Path, read: Callable[[Path], T]) -> T | None:
    """What ``read`` makes of a file; None, the file removed, where it is damaged."""
    try:
        return read(path)
    except _DAMAGE as error:
        log.warning("%s is damaged (%s); what it held is made anew", path, error)
        path.unlink(missing_ok=True)
        return None


def _read_block(path: Path, wanted: set[str]) -> dict[str, Words]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as block:
        digests = [digest.decode() for digest in block["digests"].tolist()]
        if wanted.isdisjoint(digests):
            return {}
        words, counts = block["words"].astype(np.uint32, copy=False), block["counts"]
    if len(counts) != len(digests) or counts.sum() != len(words):
        raise ValueError("its parts do not fit together")
    pieces = np.split(words, np.cumsum(counts)[:-1])
    return {d: piece for d, piece in zip(digests, pieces, strict=True) if d in wanted}


def _read_pairs(path: Path) -> list[Row]:
    rows = json.loads(path.read_text("utf-8"))["pairs"]
    return [(str(a), str(b), float(similarity), float(offset)) for a, b, similarity, offset in rows]
