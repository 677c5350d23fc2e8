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
"""What a difference is asked about. ``"method"``: the method, trained again on other speakers.
``"models"``: these trained models, on new speakers."""

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
class FoldDesign:
    """What a test over folds has to go by.

    Attributes:
        question: what differences are asked about.
        folds: how many are independent: folds that test the same speaker count as one.
        test_share: test utterances over training utterances, averaged over folds.
        assumed: whether training sides were not known, and taken to be all that is not tested.
    """

    question: Question
    folds: int
    test_share: float
    assumed: bool


@dataclass(frozen=True, slots=True)
class FoldTest:
    """Corrected t test over folds: does the method differ if trained again on other speakers?

    Attributes:
        t: the statistic; infinite where every fold differs by the same amount.
        degrees: of freedom: independent folds, minus 1.
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
        """Of a difference ``value`` of shares, with confidence ``1 − alpha``."""
        half = self.error * float(stats.t.ppf(1 - alpha / 2, self.degrees))
        return max(value - half, -1.0), min(value + half, 1.0)


@dataclass(frozen=True, slots=True)
class SpeakerTest:
    """Permutation test over speakers: do these trained models differ on new speakers?

    Attributes:
        p: two-sided, of swapping the two methods speaker by speaker.
        p_holm: the same, corrected for the tests of the table.
        exact: whether every way of swapping was tried, and not a sample of them.
        smallest_p: what the test could say at best with so many speakers.
    """

    p: float
    p_holm: float
    exact: bool
    smallest_p: float


@dataclass(frozen=True, slots=True)
class Significance:
    """The difference of a method's pooled UA from the reference's, with its tests.

    Attributes:
        speakers: about these trained models.
        folds: about the method; None where only the models are asked about, or where a single
            fold cannot tell.
        speakers_better: speakers for whom the method is better than the reference.
        speakers_worse: those for whom it is worse.
        effect_size: mean of the speakers' contributions over their standard deviation (Cohen's
            d_z), corrected for few speakers; infinite where all contribute the same.
    """

    speakers: SpeakerTest
    folds: FoldTest | None
    speakers_better: int
    speakers_worse: int
    effect_size: float

    @property
    def decisive(self) -> FoldTest | SpeakerTest:
        """The test that the verdict is by."""
        return self.folds or self.speakers

    @property
    def p(self) -> float:
        """Of that test."""
        return self.decisive.p

    @property
    def p_holm(self) -> float:
        """Of that test, corrected for the tests of the table."""
        return self.decisive.p_holm


@dataclass(frozen=True, slots=True)
class Difference:
    """Pooled UA minus the reference's, with its paired interval.

    The interval answers what the verdict answers. By folds it is of at least 95 %, as wide as the
    correction for several tests asks for, and leaves out 0 where the verdict is significant and
    nowhere else. By speakers it is of 95 %, from draws of speakers.

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
                return "no significant difference"
            return "significantly better" if self.value > 0 else "significantly worse"
        if self.low > 0:
            return "significantly better"
        return "significantly worse" if self.high < 0 else "no significant difference"


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
        repeats: bootstrap draws behind each interval of a score.
        design: of the test over folds.
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
        """The teachers' own rows."""
        return tuple(result for result in self.methods if result.is_teacher)
