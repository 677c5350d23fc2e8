"""Shared by executors on other machines: how an item is described, checked there and computed."""

from __future__ import annotations

import os
import platform
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import torch

from serbench.api import EpochEvent, SerbenchError
from serbench.files.source import core_digest, package_digest_of
from serbench.learning.blocks import Block
from serbench.learning.fit.loop import OnEpoch
from serbench.learning.fit.task import TrainingTask
from serbench.running.executors.packing import Array, Packed, Packer
from serbench.running.executors.threads import ready_for

CORE_CODE = ("api", "data", "protocol", "learning", "running/harness", "studies")
"""Packages and modules of serbench whose code must be the same on a worker."""

MODELS = "transformers"
"""The library of pretrained models; embeddings depend on its version."""

Tell = Callable[[Mapping[str, Any]], None]
"""Receives an epoch event as a mapping; raises an exception if the item is no longer wanted."""


@dataclass(frozen=True)
class Work:
    """An item as it is sent: the function to call with it, and the code that it needs.

    Attributes:
        packed: the function and the item.
        code: versions and digests of the code on the machine that sends it.
        trains: whether the function reports epochs.
    """

    packed: Packed
    code: Mapping[str, str]
    trains: bool


def describe(packer: Packer, function: Callable[..., Any], item: object, *, trains: bool) -> Work:
    """Describe an item for another machine."""
    if isinstance(item, TrainingTask) and not packer.by_path:
        item = replace(item, checkpoint=None)  # pyright: ignore[reportCallIssue]
    packed = packer.pack((function, item))
    models = frozenset({MODELS} if isinstance(item, Block) else ())
    return Work(packed, code_of(packed.packages | models), trains)


def do(work: Work, arrays: Mapping[str, Array], tell: Tell) -> tuple[int, Any]:
    """Compute an item here, and count the events that were passed to ``tell``.

    Raises:
        SerbenchError: this machine has different code or versions, or lacks a file.
        Exception: any exception of the item's function.
    """
    check_code(work.code)
    told = 0

    def on_epoch(event: EpochEvent) -> None:
        nonlocal told
        tell(asdict(event))
        told += 1

    with warnings.catch_warnings():
        # Arrays from the engine are read-only, and no code here writes to them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        try:
            function, item = work.packed.unpack(arrays)
        except FileNotFoundError as error:
            raise SerbenchError(
                f"{platform.node()} cannot read {error.filename or error}; the cache "
                "($SERBENCH_CACHE) must be the same folder on all machines, or on none"
            ) from None
        with ready_for(item):
            result = function(item, on_epoch) if work.trains else function(item)
        return told, result


def code_of(packages: frozenset[str]) -> dict[str, str]:
    """Versions and digests that results depend on: the code of the core and of plugins, and the
    libraries that they use.
    """
    plugins = sorted(each for each in packages if each.startswith("serbench_"))
    models = {MODELS: version(MODELS)} if MODELS in packages and find_spec(MODELS) else {}
    return _versions() | models | {each: package_digest_of(each)[:12] for each in plugins}


@cache
def _versions() -> dict[str, str]:
    return {
        "serbench": f"{version('serbench')} ({core_digest(CORE_CODE)[:12]})",
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "NumPy": np.__version__,
        "scikit-learn": version("scikit-learn"),
    }


def check_code(wanted: Mapping[str, str]) -> None:
    """
    Raises:
        SerbenchError: this process has other code or versions than ``wanted``.
    """
    own = code_of(frozenset(wanted))
    different = [
        f"{name} {own.get(name, 'not installed')} there, {value} here"
        for name, value in wanted.items()
        if own.get(name) != value
    ]
    if different:
        raise SerbenchError(
            f"the worker on {platform.node()} would give other results: {'; '.join(different)}; "
            "install the same versions on all machines"
        )


def leave_mark(folder: Path) -> tuple[Path, str]:
    """Write a file into a folder, by which other machines can recognise it. The caller
    removes it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = uuid4().hex
    path = folder / f"shared-{text[:8]}.mark"
    path.write_text(text)
    return path, text


def has_mark(path: Path, text: str) -> bool:
    """Whether this machine reads the folder in which the mark was left."""
    return os.access(path, os.R_OK) and path.read_text() == text


def can_read(path: Path, size: int) -> bool:
    """Whether this machine has a file of that size there, and may read it."""
    return path.is_file() and os.access(path, os.R_OK) and path.stat().st_size == size


class Events:
    """Receives epochs from other machines, reports them here, and counts them.

    Attributes:
        received: number of events so far.
        failure: the first exception that ``on_epoch`` raised.
    """

    def __init__(self, on_epoch: OnEpoch) -> None:
        self._on_epoch = on_epoch
        self.received = 0
        self.failure: Exception | None = None

    def take(self, event: Mapping[str, Any]) -> None:
        """Report one event that ``do`` sent."""
        self.received += 1
        try:
            self._on_epoch(EpochEvent(**event))
        except Exception as error:  # the other events are still reported
            self.failure = self.failure or error
