"""Results of a comparison of methods: scores, intervals, differences and their significance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from serbench.learning.evaluate import Metric
from serbench.running.store.run import TEACHER_PREFIX

METRICS: tuple[Metric, ...] = ("wa", "ua", "macro_f1")

Verdict = Literal["significantly better", "significantly worse", "no significant difference"]

Question = Literal["method", "models"]
"""The question about a difference. ``"method"``: does the method differ if it is trained again on
other speakers? ``"models"``: do these trained models differ on new speakers?
"""

KEYS = ("utterance", "speaker", "label", "outer")
"""Columns that must be equal for two methods so that they can be paired."""

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
class FoldDesign:
    """The design on which a test over folds is based.

    Attributes:
        question: what differences are asked about.
        folds: number of independent folds: folds that test the same speaker count as one.
        test_share: test utterances divided by training utterances, averaged over folds.
        assumed: whether training sides were not known, and were assumed to be all that is not
            tested.
    """

    question: Question
    folds: int
    test_share: float
    assumed: bool


@dataclass(frozen=True, slots=True)
class FoldTest:
    """Corrected t test over folds: does the method differ if trained again on other speakers?

    Attributes:
        t: the statistic; infinite if every fold differs by the same amount.
        degrees: degrees of freedom: number of independent folds minus 1.
        error: standard error of the difference, corrected for training sides that overlap.
        p: two-sided.
        p_holm: the same, corrected for the tests of the table.
    """

    t: float
    degrees: int
    error: float
    p: float
    p_holm: float

    def interval(self, value: float, alpha: float) -> tuple[float, float]:
        """Interval of a difference ``value`` of shares, with confidence ``1 − alpha``."""
        half = self.error * float(stats.t.ppf(1 - alpha / 2, self.degrees))
        return max(value - half, -1.0), min(value + half, 1.0)


@dataclass(frozen=True, slots=True)
class SpeakerTest:
    """Permutation test over speakers: do these trained models differ on new speakers?

    Attributes:
        p: two-sided p of swapping the two methods for each speaker.
        p_holm: the same, corrected for the tests of the table.
        exact: whether every way of swapping was tried, and not a sample of them.
        smallest_p: the smallest p that is possible with so many speakers.
    """

    p: float
    p_holm: float
    exact: bool
    smallest_p: float


@dataclass(frozen=True, slots=True)
class Significance:
    """The difference of a method's pooled UA from the reference's, with its tests.

    Attributes:
        speakers: the test about these trained models.
        folds: the test about the method; None if the question is only about the models, or if there
            is only one fold.
        speakers_better: number of speakers for whom the method is better than the reference.
        speakers_worse: number of speakers for whom it is worse.
        effect_size: mean of the speakers' contributions divided by their standard deviation
            (Cohen's d_z), corrected for few speakers; infinite if all contribute the same.
    """

    speakers: SpeakerTest
    folds: FoldTest | None
    speakers_better: int
    speakers_worse: int
    effect_size: float

    @property
    def decisive(self) -> FoldTest | SpeakerTest:
        """The test on which the verdict is based."""
        return self.folds or self.speakers

    @property
    def p(self) -> float:
        """The p of the decisive test."""
        return self.decisive.p

    @property
    def p_holm(self) -> float:
        """The p of the decisive test, corrected for the tests of the table."""
        return self.decisive.p_holm


@dataclass(frozen=True, slots=True)
class Difference:
    """Pooled UA minus the reference's, with its paired interval.

    The interval is about the same question as the verdict. By folds, its confidence is at least
    95 %: it is as wide as the correction for several tests requires, and it excludes 0 exactly if
    the verdict is significant. By speakers, its confidence is 95 %, from draws of speakers.

    Attributes:
        significance: None if only the interval was computed.
    """

    value: float
    low: float
    high: float
    significance: Significance | None = None

    @property
    def verdict(self) -> Verdict:
        """Whether there is a difference at the 5 % level, and on which side.

        It is based on the corrected p if there is one, else on whether the interval excludes 0.
        """
        if self.significance is not None:
            if self.significance.p_holm > ALPHA or self.value == 0:
                return "no significant difference"
            return "significantly better" if self.value > 0 else "significantly worse"
        if self.low > 0:
            return "significantly better"
        return "significantly worse" if self.high < 0 else "no significant difference"


@dataclass(frozen=True, slots=True)
class MethodResult:
    """The results of one method.

    Attributes:
        confusion: ``(C, C)`` counts, true class by predicted class, summed over seeds.
        pooled: pooled scores by metric.
        spread: spread over folds by metric.
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
        speaker_counts: number of test utterances of each speaker.
        fold_counts: number of test utterances of each outer fold.
        repeats: number of bootstrap draws for each interval of a score.
        design: design of the test over folds.
    """

    labels: tuple[str, ...]
    reference: str
    methods: tuple[MethodResult, ...]
    speaker_counts: Mapping[str, int]
    fold_counts: Mapping[int, int]
    repeats: int
    design: FoldDesign

    @property
    def students(self) -> tuple[MethodResult, ...]:
        """The trained methods."""
        return tuple(result for result in self.methods if not result.is_teacher)

    @property
    def teachers(self) -> tuple[MethodResult, ...]:
        """The results of the teachers' own heads."""
        return tuple(result for result in self.methods if result.is_teacher)
