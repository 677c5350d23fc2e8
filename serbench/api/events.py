"""What trackers are told while a run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunEvent:
    """A run has started or finished: its folder, its plan's digest, how many fits it has."""

    folder: Path
    digest: str
    fits: int


@dataclass(frozen=True, slots=True)
class EpochEvent:
    """One epoch of one fit: mean of each loss term; UA on inner validation where it was taken."""

    fit: str
    epoch: int
    epochs: int
    terms: Mapping[str, float] = field(default_factory=dict)
    validation_ua: float | None = None


@dataclass(frozen=True, slots=True)
class FoldEvent:
    """An outer test fold has been scored: WA, UA and macro-F1 in 0 … 1."""

    method: str
    outer: int
    seed: int
    wa: float
    ua: float
    macro_f1: float
