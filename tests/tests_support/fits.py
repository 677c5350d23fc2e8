"""Fits that executors are tested with, and how their results are compared."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from serbench.api import EpochEvent
from serbench.learning.fit.task import FitResult, FitTask
from serbench.protocol.splits.outer import outer_splits
from tests_support.runs import fit_task, frames_of
from tests_support.tables import noise_table


def noise_fits(root: Path) -> list[FitTask]:
    """Three fits, ``fit-0`` to ``fit-2``, on the noise corpus below ``root``."""
    table = noise_table(root / "noise", speakers=3, utterances=2)
    frames = frames_of(table, root / "features")
    made = [fit_task(table, split, frames) for split in outer_splits(table, "loso", 5)]
    return [replace(task, name=f"fit-{number}") for number, task in enumerate(made)]


def check_same_bits(first: Iterable[FitResult], second: Iterable[FitResult]) -> None:
    """Predictions and weights are equal bit by bit."""
    others = {result.name: result for result in second}
    for result in first:
        other = others.pop(result.name)
        np.testing.assert_array_equal(other.posteriors, result.posteriors)
        assert other.fitted == result.fitted
        assert other.state.keys() == result.state.keys()
        for name, value in result.state.items():
            assert torch.equal(other.state[name], value), name
    assert not others


def kill_first_time(mark: Path) -> int:
    """End this process by force, unless ``mark`` says that this happened before."""
    if not mark.exists():
        mark.write_text("killed")
        os.kill(os.getpid(), 9)
    return os.getpid()


def report_slowly(mark: Path, on_epoch: object) -> None:
    """Report an epoch each 0.1 s, up to 60 s, and write the last one to ``mark``.

    Where the mark exists, nothing is done.
    """
    assert callable(on_epoch)
    if mark.exists():
        return
    for epoch in range(1, 601):
        on_epoch(EpochEvent("slow", epoch, 600, {}, None))
        mark.write_text(str(epoch))
        time.sleep(0.1)


def run_out(task: FitTask, _: object) -> None:
    """As a fit on a GPU that has no memory.

    Raises:
        torch.OutOfMemoryError: as torch says it.
    """
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
