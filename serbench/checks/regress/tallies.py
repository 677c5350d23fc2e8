"""Hits of each speaker in each class: sufficient for UA, WA and their paired intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from serbench.learning.evaluate import (
    Metric,
    confusion_metric,
    resample_weights,
    resampled_metric,
    speaker_confusions,
)
from serbench.results.compare.intervals import REPEATS, percentile_interval
from serbench.results.compare.records import Difference

SEED = 0
"""Seed of the draws: the same two results always get the same interval."""


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """A method's test utterances and hits.

    Attributes:
        seeds: repetitions that are summed.
        speakers: S names, sorted.
        hits: ``(S, C)``, correctly classified utterances of each class, over all seeds.
        counts: ``(S, C)``, utterances of each class, over all seeds.
    """

    seeds: tuple[int, ...]
    speakers: tuple[str, ...]
    hits: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def confusions(self) -> NDArray[np.int64]:
        """Confusions ``(S, C, C)`` with known hits and row sums; the wrong classes are unknown."""
        classes = np.arange(self.hits.shape[1])
        made = np.zeros((*self.hits.shape, len(classes)), np.int64)
        made[:, classes, classes] = self.hits
        made[:, classes, (classes + 1) % len(classes)] += self.counts - self.hits
        return made

    def score(self, metric: Metric) -> float:
        """Pooled ``ua`` or ``wa``."""
        return float(confusion_metric(self.confusions.sum(axis=0), metric))


def tally(predictions: pd.DataFrame, labels: Sequence[str], method: str) -> Tally:
    """A method's tally, from rows as in ``store.PREDICTION_COLUMNS``.

    Raises:
        SerbenchError: the method has no rows.
    """
    own = predictions.loc[predictions["method"] == method]
    names = pd.Index(labels)
    confusions = speaker_confusions(
        names.get_indexer(pd.Index(own["label"])),
        names.get_indexer(pd.Index(own["predicted"])),
        own["speaker"].tolist(),
        len(labels),
    )
    return Tally(
        seeds=tuple(sorted(int(seed) for seed in own["seed"].unique())),
        speakers=tuple(sorted(map(str, own["speaker"].unique()))),
        hits=np.diagonal(confusions, axis1=1, axis2=2).copy(),
        counts=confusions.sum(axis=2),
    )


def paired_difference(
    now: Tally, golden: Tally, metric: Metric, repeats: int = REPEATS
) -> Difference:
    """The run's pooled score minus the reference run's, with 95 % CI over draws of speakers.

    Both runs get the same draws, so that effects of speakers that are hard for both cancel.

    Raises:
        SerbenchError: there are fewer than two speakers.
    """
    weights = resample_weights(len(now.speakers), repeats, SEED)
    draws = resampled_metric(now.confusions, weights, metric) - resampled_metric(
        golden.confusions, weights, metric
    )
    interval = percentile_interval(draws, len(now.speakers))
    return Difference(now.score(metric) - golden.score(metric), *interval)
