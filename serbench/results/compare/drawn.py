"""A pooled score with its value in each draw of speakers, so that scores can be subtracted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serbench.learning.evaluate import Metric, confusion_metric, resampled_metric
from serbench.results.compare.intervals import estimate
from serbench.results.compare.records import Difference, Estimate


@dataclass(frozen=True, eq=False, slots=True)
class Drawn:
    """A score, with its value in each draw of speakers.

    Attributes:
        value: the score over all speakers.
        draws: ``(repeats,)``, the score in each draw.
        speakers: number of speakers from which draws were made.
    """

    value: float
    draws: NDArray[np.float64]
    speakers: int

    @classmethod
    def of(
        cls, confusions: NDArray[np.int64], weights: NDArray[np.int64], metric: Metric = "ua"
    ) -> Drawn:
        """The score from confusions ``(S, C, C)`` of speakers and weights ``(repeats, S)`` of
        draws.
        """
        value = float(confusion_metric(confusions.sum(axis=0), metric))
        return cls(value, resampled_metric(confusions, weights, metric), len(confusions))

    @classmethod
    def mean(cls, scores: Sequence[Drawn]) -> Drawn:
        """The mean over scores from the same draws."""
        value = float(np.mean([each.value for each in scores]))
        return cls(value, np.mean([each.draws for each in scores], axis=0), scores[0].speakers)

    @property
    def estimate(self) -> Estimate:
        """The score with its interval."""
        return estimate(self.value, self.draws, self.speakers)

    def above(self, other: Drawn) -> Difference:
        """The difference from ``other`` over the same draws, without a test."""
        found = estimate(self.value - other.value, self.draws - other.draws, self.speakers)
        return Difference(found.value, found.low, found.high)
