"""What a comparison says of methods: scores, intervals, differences and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from serbench.learning.evaluate import Metric
from serbench.running.store.run import TEACHER_PREFIX

METRICS: tuple[Metric, ...] = ("wa", "ua", "macro_f1")

Verdict = Literal["better", "worse", "cannot tell apart"]

KEYS = ("utterance", "speaker", "label", "outer")
"""What must agree between methods for them to be paired."""

ALPHA = 0.05
"""Level of every test, and 1 minus the confidence of every interval."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A pooled score with its 95 % interval, in 0 … 1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and sample standard deviation over outer folds; with several seeds, their average.

    A single fold has no deviation.
    """

    mean: float
    sd: float | None


@dataclass(frozen=True, slots=True)
class FoldScores:
    """One outer test fold's scores, averaged over seeds."""

    outer: int
    wa: float
    ua: float
    macro_f1: float


@dataclass(frozen=True, slots=True)
class FoldTest:
    """Corrected t test of UA over folds and seeds.

    Attributes:
        t: the statistic; infinite where every fold differs by the same amount.
        degrees: of freedom: folds times seeds, minus 1.
        p: two-sided.
        p_holm: the same, corrected for the tests of the table.
    """

    t: float
    degrees: int
    p: float
    p_holm: float


@dataclass(frozen=True, slots=True)
class Significance:
    """How surely a method's pooled UA differs from the reference's.

    Attributes:
        p: two-sided, of the permutation test that swaps the two methods speaker by speaker.
        p_holm: the same, corrected for the tests of the table.
        exact: whether every way of swapping was tried, and not a sample of them.
        smallest_p: what the test could say at best with so many speakers.
        speakers_better: speakers for whom the method is better than the reference.
        speakers_worse: those for whom it is worse.
        effect_size: mean of the speakers' contributions over their standard deviation (Cohen's
            d_z), corrected for few speakers; infinite where all contribute the same.
        folds: the second opinion; None where there is a single fold and seed.
    """

    p: float
    p_holm: float
    exact: bool
    smallest_p: float
    speakers_better: int
    speakers_worse: int
    effect_size: float
    folds: FoldTest | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Pooled UA minus the reference's, with its paired 95 % interval.

    Attributes:
        significance: None where only the interval was taken.
    """

    value: float
    low: float
    high: float
    significance: Significance | None = None

    @property
    def verdict(self) -> Verdict:
        """Whether there is a difference at the 5 % level, and on which side.

        By the corrected p where there is one, else by whether the interval leaves zero out.
        """
        if self.significance is not None:
            if self.significance.p_holm > ALPHA or self.value == 0:
                return "cannot tell apart"
            return "better" if self.value > 0 else "worse"
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "cannot tell apart"


@dataclass(frozen=True, slots=True)
class MethodResult:
    """One method.

    Attributes:
        confusion: ``(C, C)`` counts, true class by predicted class, summed over seeds.
        pooled: by metric.
        spread: by metric.
        speaker_ua: UA over the classes that the speaker has, by speaker.
        difference: None for the reference itself.
    """

    method: str
    seeds: int
    confusion: NDArray[np.int64]
    pooled: Mapping[Metric, Estimate]
    spread: Mapping[Metric, Spread]
    folds: tuple[FoldScores, ...]
    speaker_ua: Mapping[str, float]
    difference: Difference | None

    @property
    def is_teacher(self) -> bool:
        """Whether this is a teacher's own head and not a student."""
        return self.method.startswith(TEACHER_PREFIX)


@dataclass(frozen=True, slots=True)
class Comparison:
    """All methods of a run, in their order.

    Attributes:
        reference: the method that differences are taken against.
        speaker_counts: test utterances of each speaker.
        fold_counts: test utterances of each outer fold.
        repeats: bootstrap draws behind each interval.
    """

    labels: tuple[str, ...]
    reference: str
    methods: tuple[MethodResult, ...]
    speaker_counts: Mapping[str, int]
    fold_counts: Mapping[int, int]
    repeats: int

    @property
    def students(self) -> tuple[MethodResult, ...]:
        """The trained methods."""
        return tuple(result for result in self.methods if not result.is_teacher)

    @property
    def teachers(self) -> tuple[MethodResult, ...]:
        """The teachers' own rows."""
        return tuple(result for result in self.methods if result.is_teacher)
