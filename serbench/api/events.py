"""The events of a run that trackers receive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PooledScore:
    """A method's score over all outer folds and seeds, with its 95 % confidence interval over
    speakers.

    Attributes:
        method: as in the run; a teacher's own head is ``teacher:NAME``.
        metric: ``wa``, ``ua`` or ``macro_f1``, between 0 and 1.
    """

    method: str
    metric: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RunEvent:
    """A run has started or finished: its folder, its plan's digest, its number of fits.

    Attributes:
        plan: the content of ``plan.json``: dataset, methods with all their settings, profile,
            protocol, seeds, teachers, device, command.
        certificate: digest of the leakage certificate; empty before the end.
        scores: of every method and metric; empty before the report is written.
    """

    folder: Path
    digest: str
    fits: int
    plan: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)
    certificate: str = field(default="", compare=False)
    scores: tuple[PooledScore, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class EpochEvent:
    """One epoch of one fit: mean of each loss term; UA on inner validation if it was measured.

    Attributes:
        fit: ``METHOD/seed-S/outer-K`` for a refit, ``…/candidate-J/inner-I`` for an inner fit,
            ``METHOD/seed-S/pretraining`` for a pretraining.
        epoch: from 1; the last one is below ``epochs`` if the fit stopped early. cached: whether
            the fit comes from the cache, so that its history is sent again.
        canary: number of the canary's repeat, on permuted labels; 0: the run itself. seconds:
            duration of the epoch with its validation; None: not measured.
    """

    fit: str
    epoch: int
    epochs: int
    terms: Mapping[str, float] = field(default_factory=dict)
    validation_ua: float | None = None
    cached: bool = False
    canary: int = 0
    seconds: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class FoldEvent:
    """An outer test fold has been scored: WA, UA and macro-F1 between 0 and 1."""

    method: str
    outer: int
    seed: int
    wa: float
    ua: float
    macro_f1: float
