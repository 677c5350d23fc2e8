"""Fingerprints and pairs on disk.

Fingerprints are stored in blocks of many recordings, and each is found by the digest of its audio.
So a corpus that grew by one file adds one small block, and two corpora that share audio share
fingerprints.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from serbench.files.atomic import json_bytes
from serbench.files.digests import name_digest
from serbench.files.kept import kept_bytes, read_kept, write_kept
from serbench.protocol.guard.near.fingerprints import Words

Row = tuple[str, str, float, float]
"""A pair as it is stored: two ids, similarity, offset in seconds."""


def load_fingerprints(folder: Path, wanted: set[str]) -> dict[str, Words]:
    """Fingerprints in ``folder`` of the ``wanted`` PCM digests, by digest."""
    found: dict[str, Words] = {}
    for path in sorted(folder.glob("*.npz")):
        read = partial(_read_block, wanted=wanted)
        found.update(read_kept(path, read, "cached fingerprints") or {})
    return found


def store_fingerprints(folder: Path, fingerprints: Mapping[str, Words]) -> None:
    """Add a block of fingerprints by PCM digest.

    Raises:
        StoreError: the block cannot be written.
    """
    if not fingerprints:
        return
    digests = sorted(fingerprints)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        digests=np.array(digests, dtype="S64"),
        counts=np.array([len(fingerprints[d]) for d in digests], dtype="<i8"),
        words=np.concatenate([fingerprints[d] for d in digests]).astype("<u4"),
    )
    name = name_digest("".join(digests), 32)
    write_kept(folder / f"{name}.npz", buffer.getvalue())


def load_pairs(path: Path) -> list[Row] | None:
    """Pairs that ``store_pairs`` has written; None if they are missing or damaged."""
    return read_kept(path, _read_pairs, "cached near-duplicates")


def store_pairs(path: Path, rows: Sequence[Row]) -> None:
    """Write the pairs of a corpus.

    Raises:
        StoreError: the pairs cannot be written.
    """
    write_kept(path, json_bytes({"pairs": rows}, "near-duplicates"))


def _read_block(path: Path, wanted: set[str]) -> dict[str, Words]:
    with np.load(io.BytesIO(kept_bytes(path)), allow_pickle=False) as block:
        digests = [digest.decode() for digest in block["digests"].tolist()]
        if wanted.isdisjoint(digests):
            return {}
        words, counts = block["words"].astype(np.uint32, copy=False), block["counts"]
    pieces = np.split(words, np.cumsum(counts)[:-1])
    return {d: piece for d, piece in zip(digests, pieces, strict=True) if d in wanted}


def _read_pairs(path: Path) -> list[Row]:
    rows = json.loads(kept_bytes(path))["pairs"]
    return [(str(a), str(b), float(similarity), float(offset)) for a, b, similarity, offset in rows]
