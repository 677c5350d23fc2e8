"""A quick check of an entry: whether it is damaged, and its exact kind."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from serbench.files.gc.kinds import KINDS, RESULTS
from serbench.files.kept import SEAL_BYTES, SUMS, is_seal

LENGTH_BYTES = 8
"""Bytes of the number at the start of a safetensors file: the length of its header."""


class Look(NamedTuple):
    """Result of a check: the exact kind of an entry, and its damage."""

    kind: str
    damage: str = ""


class _DamageError(Exception):
    """Damage of an entry."""


def look(kind: str, root: Path, files: Mapping[str, int]) -> Look:
    """Check an entry quickly: the beginning and the end of each file, not every byte.

    Args:
        kind: the kind that the entry's folder suggests.
        root: the cache.
        files: sizes in bytes, by path below the cache.
    """
    try:
        if kind == "features" and any(each.endswith(".npy") for each in files):
            _need(files, "counts.npy", "values.npy")
        elif kind == "embeddings" and any(each.endswith("/complete.json") for each in files):
            _need(files, "frames.f16", "pooled.f32", "index.jsonl")
        elif kind in {"models", "converted"}:
            _need(files, SUMS)
        for path, size in files.items():
            ending = PurePosixPath(path).suffix
            if kind != "temporaries" and (check := INSPECTIONS.get(kind, {}).get(ending)):
                with _unread(root / path) as file:
                    kind = check(file, size) or kind
    except _DamageError as error:
        return Look(kind, str(error))
    except FileNotFoundError:  # removed meanwhile
        return Look(kind)
    except (OSError, ValueError) as error:
        return Look(kind, f"cannot be read ({error})")
    return Look(kind)


def _need(files: Mapping[str, int], *endings: str) -> None:
    missing = [e for e in endings if not any(path.endswith(e) for path in files)]
    if missing:
        raise _DamageError(f"lacks {', '.join(missing)}")


@contextmanager
def _unread(path: Path) -> Iterator[IO[bytes]]:
    """Open a file and restore its access time afterwards: a check does not count as use."""
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        try:
            yield file
        finally:
            target = file.fileno() if os.utime in os.supports_fd else path
            with suppress(PermissionError):  # another user's file, which cannot be removed either
                os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))


def _fit(file: IO[bytes], size_bytes: int) -> str | None:
    """The kind that an entry of ``FitCache`` states, if its header and its length are right."""
    length = int.from_bytes(file.read(LENGTH_BYTES), "little")
    if not 2 <= length <= size_bytes - LENGTH_BYTES:
        raise _DamageError("its header is incomplete")
    header = json.loads(file.read(length))
    try:
        metadata = header.pop("__metadata__")
        json.loads(metadata["json"])
        kind: str | None = metadata.get("kind")  # missing in files of older versions
        end = max((int(tensor["data_offsets"][1]) for tensor in header.values()), default=0)
    except (AttributeError, KeyError, TypeError) as error:
        raise _DamageError("its header is not that of a fit") from error
    if LENGTH_BYTES + length + end != size_bytes:
        raise _DamageError("its length differs from its header")
    return kind if kind in KINDS else None


def _kept(file: IO[bytes], size_bytes: int) -> None:
    """Raise an error if a file does not end as a file of ``write_kept``."""
    file.seek(max(0, size_bytes - SEAL_BYTES))
    if not is_seal(file.read()):
        raise _DamageError("its end is missing")


Inspection = Callable[[IO[bytes], int], str | None]

INSPECTIONS: Mapping[str, Mapping[str, Inspection]] = {
    **{kind: {".safetensors": _fit} for kind in RESULTS},
    "audio": {".json": _kept},
    "repeats": {".json": _kept},
    "near": {".json": _kept, ".npz": _kept},
    "features": {".npy": _kept},
    "embeddings": {".json": _kept},
}
"""Checks by kind and extension. Files that a backend wrote are not checked."""
