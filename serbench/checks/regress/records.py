"""What a gate says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["accuracy", "latency", "size"]
Outcome = Literal["passed", "better", "FAILED"]


@dataclass(frozen=True, slots=True)
class Check:
    """One number held against the golden one.

    Attributes:
        what: for instance ``akd UA`` or ``akd onnxruntime 3 s``.
        golden: shares 0 … 1, a ratio to the reference, or bytes.
        now: likewise; None where it could not be measured.
        difference: of shares, the run's minus the golden one; of ratios and bytes, relative.
        low: of the difference's 95 % interval; None where there is no spread.
        high: likewise.
        allowed: what the difference is held against, in words.
        message: a sentence: what is so, by how much, and how sure.
    """

    what: str
    kind: Kind
    golden: float
    now: float | None
    difference: float | None
    low: float | None
    high: float | None
    allowed: str
    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything that a gate has found.

    Attributes:
        run: the run's folder.
        golden: the golden file.
        certificate: digest of the run's.
        notes: what differs and is not judged, one line each.
    """

    run: Path
    golden: Path
    certificate: str
    checks: tuple[Check, ...]
    notes: tuple[str, ...]

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.outcome == "FAILED")

    @property
    def passed(self) -> bool:
        """Whether none has."""
        return not self.failures

    @property
    def improved(self) -> bool:
        """Whether a check is better than the golden file knows."""
        return any(check.outcome == "better" for check in self.checks)
