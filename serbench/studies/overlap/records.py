"""What scoring at several overlaps found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from serbench.protocol.guard.certificate import Certificate
from serbench.results.compare.records import Difference, Estimate

SAME = "same classes"
"""The verdict on two overlaps that give every utterance the same class."""


@dataclass(frozen=True, slots=True)
class OverlapRow:
    """One method at one overlap, all test utterances of all seeds pooled.

    Attributes:
        overlap_s: of neighbouring windows, in seconds.
        windows: test windows, of one seed.
        recut: utterances that are cut into other windows than at the first overlap.
        changed: utterances that are given another class than at the first overlap; over all seeds.
        difference: of pooled UA to the first overlap, paired; None for the first itself.
    """

    method: str
    overlap_s: float
    windows: int
    recut: int
    changed: int
    wa: Estimate
    ua: Estimate
    difference: Difference | None

    @property
    def verdict(self) -> str:
        """What the difference says; where no utterance changed its class, that."""
        if self.difference is None:
            return "reference"
        return self.difference.verdict if self.changed else SAME


@dataclass(frozen=True, slots=True)
class Longer:
    """How many test utterances are longer than a window.

    Attributes:
        window_s: a method's window, in seconds; the longest where its folds chose several.
        longer: utterances longer than their window.
        utterances: all of them.
    """

    window_s: float
    longer: int
    utterances: int


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Methods by overlaps.

    Attributes:
        planned: all methods of the run, then its teachers.
        longer: by method.
        own_overlaps_s: the run's own overlaps, where its predictions were met again.
        gap: greatest difference of a posterior there.
        notes: what replays must say of themselves.
    """

    dataset: str
    planned: tuple[str, ...]
    overlaps_s: tuple[float, ...]
    rows: tuple[OverlapRow, ...]
    longer: Mapping[str, Longer]
    own_overlaps_s: tuple[float, ...]
    gap: float
    speakers: int
    seeds: int
    repeats: int
    has_teachers: bool
    certificate: Certificate
    notes: tuple[str, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        """In the order of the plan."""
        return tuple(self.longer)

    def of(self, method: str) -> tuple[OverlapRow, ...]:
        """A method's rows, the first overlap first."""
        return tuple(row for row in self.rows if row.method == method)
