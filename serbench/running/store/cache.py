"""A cache of results of fits, addressed by their content and shared by runs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from serbench.api import StoreError
from serbench.files.atomic import json_bytes, write_atomically
from serbench.files.cache_kinds import CacheKind, kind_folder
from serbench.files.kept import DamageError, read_kept

ARRAY, TENSOR = "array/", "tensor/"


@dataclass(frozen=True, slots=True)
class FitRecord:
    """The result of a fit: facts as JSON, arrays (posteriors) and the student's tensors."""

    json: dict[str, Any]
    arrays: dict[str, np.ndarray]
    tensors: dict[str, Tensor]


class FitCache:
    """Fits by the digest of everything that determines their outcome.

    An entry is one safetensors file. Its metadata contain its kind, the JSON and a SHA-256 of
    everything, so that incomplete files and flipped bits are detected.

    Args:
        cache: root of the cache.
        kind: kind of all entries that are stored here.
    """

    def __init__(self, cache: Path, kind: CacheKind) -> None:
        self.kind = kind
        self.root = kind_folder(cache, kind)

    def path(self, key: str) -> Path:
        """The file of ``key``, a digest in hexadecimal."""
        if not re.fullmatch(r"[0-9a-f]{8,128}", key):
            raise StoreError(f"{key!r} is not a digest in hexadecimal")
        return self.root / key[:2] / f"{key}.safetensors"

    def get(self, key: str) -> FitRecord | None:
        """The fit of ``key``; None if it is missing or damaged. A damaged one is reported."""
        return read_kept(self.path(key), _read_entry, "cached fit")

    def written(self, key: str) -> FitRecord:
        """The fit of ``key``, which must be cached.

        Raises:
            StoreError: it is missing.
        """
        record = self.get(key)
        if record is None:
            raise StoreError(f"{self.path(key)} was just written and cannot be read back")
        return record

    def put(
        self,
        key: str,
        json_dict: Mapping[str, object],
        arrays: Mapping[str, np.ndarray] | None = None,
        tensors: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Cache a fit.

        Raises:
            StoreError: the JSON contains a value that is not finite, or the file cannot be written.
        """
        text = json_bytes(json_dict, f"the fit {key}").decode()
        content = {
            ARRAY + name: torch.from_numpy(np.array(array, order="C"))
            for name, array in (arrays or {}).items()
        } | {
            TENSOR + name: tensor.detach().cpu().contiguous().clone()
            for name, tensor in (tensors or {}).items()
        }
        metadata = {"kind": self.kind, "json": text, "sha256": _checksum(text, content)}
        write_atomically(self.path(key), safetensors.torch.save(content, metadata))


def _checksum(text: str, content: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(content):
        tensor = content[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _read_entry(path: Path) -> FitRecord:
    try:
        with safe_open(path, framework="pt") as entry:
            metadata = entry.metadata() or {}
            content: dict[str, Tensor] = {name: entry.get_tensor(name) for name in entry.keys()}  # noqa: SIM118 - not a mapping
        found, due = _checksum(metadata["json"], content), metadata["sha256"]
    except (SafetensorError, KeyError, ValueError) as error:
        raise DamageError(str(error)) from error
    if found != due:
        raise DamageError("its checksum is wrong")
    return FitRecord(
        json=json.loads(metadata["json"]),
        arrays={
            name.removeprefix(ARRAY): tensor.numpy()
            for name, tensor in content.items()
            if name.startswith(ARRAY)
        },
        tensors={
            name.removeprefix(TENSOR): tensor
            for name, tensor in content.items()
            if name.startswith(TENSOR)
        },
    )
