"""Records of the scores at several overlaps."""

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
        overlap_s: overlap of neighbouring windows, in seconds.
        windows: number of test windows of one seed.
        recut: number of utterances whose windows differ from those at the first overlap.
        changed: number of utterances whose class differs from that at the first overlap; over all
            seeds.
        difference: paired difference of pooled UA from the first overlap; None for the first
            itself.
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
        """The verdict on the difference, or that no utterance changed its class."""
        if self.difference is None:
            return "reference"
        return self.difference.verdict if self.changed else SAME


@dataclass(frozen=True, slots=True)
class Longer:
    """How many test utterances are longer than a window.

    Attributes:
        window_s: a method's window, in seconds; the longest if its folds chose several.
        longer: number of utterances longer than their window.
        utterances: number of all test utterances.
    """

    window_s: float
    longer: int
    utterances: int


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Scores of methods at several overlaps.

    Attributes:
        planned: all methods of the run, then its teachers.
        longer: how many utterances are longer than a window, by method.
        own_overlaps_s: the run's own overlaps, at which its predictions were reproduced.
        gap: greatest difference of a posterior at these overlaps.
        notes: what a reader must know about the replay.
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
        """The methods, in the order of the plan."""
        return tuple(self.longer)

    def of(self, method: str) -> tuple[OverlapRow, ...]:
        """A method's rows, the first overlap first."""
        return tuple(row for row in self.rows if row.method == method)
