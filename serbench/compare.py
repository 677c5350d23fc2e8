"""Paired comparison of methods that were tested on the same utterances.

Pooled scores count every test utterance once per seed. Their 95 % intervals, and those of
differences between methods, are percentile bootstraps over speakers: utterances of one speaker are
not independent, so whole speakers are drawn (Davison & Hinkley, *Bootstrap Methods and their
Application*, 1997, 3.8). Every method sees the same draws, which makes differences paired.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from serbench.api import StoreError
from serbench.evaluate import (
    INTERVAL,
    Metric,
    confusion_metric,
    resample_weights,
    resampled_metric,
    score,
    speaker_confusions,
)

TEACHER_PREFIX = "teacher:"
METRICS: tuple[Metric, ...] = ("wa", "ua", "macro_f1")

Verdict = Literal["better", "worse", "cannot tell apart"]

KEYS = ("utterance", "speaker", "label", "outer")
"""What must agree between methods for them to be paired."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A pooled score with its 95 % interval, in 0 … 1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and sample standard deviation over outer folds; with several seeds, their average."""

    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class FoldScores:
    """One outer test fold's scores, averaged over seeds."""

    outer: int
    wa: float
    ua: float
    macro_f1: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Pooled UA minus the reference's, with its paired 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """Whether the interval leaves zero out, and on which side."""
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


def comparison(
    predictions: pd.DataFrame,
    labels: Sequence[str],
    methods: Sequence[str] | None = None,
    repeats: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Score every method and compare each with the first.

    Args:
        predictions: rows as in ``store.PREDICTION_COLUMNS``.
        labels: the C class names in posterior order.
        methods: those to compare, the reference first; default: in order of appearance, teachers
            last.
        repeats: bootstrap draws.
        seed: of the draws; the same seed gives the same intervals.

    Raises:
        StoreError: the methods were not tested on the same utterances, each once per seed, or a
            label is not one of ``labels``.
    """
    order = tuple(methods) if methods else _order(predictions)
    check_paired(predictions, labels, order)
    coded = predictions.assign(
        truth=_codes(predictions, "label", labels), guess=_codes(predictions, "predicted", labels)
    )
    tables = {method: coded.loc[coded["method"] == method] for method in order}
    speakers = sorted(coded["speaker"].unique())
    weights = resample_weights(len(speakers), repeats, seed)
    confusions = {
        method: speaker_confusions(
            table["truth"], table["guess"], table["speaker"].tolist(), len(labels)
        )
        for method, table in tables.items()
    }
    results = tuple(
        _result(method, tables[method], confusions[method], speakers, weights, len(labels))
        for method in order
    )
    reference = confusions[order[0]]
    compared = tuple(
        replace(result, difference=_difference(confusions[result.method], reference, weights))
        for result in results[1:]
    )
    first = tables[order[0]].drop_duplicates(subset=["utterance"])
    return Comparison(
        labels=tuple(labels),
        reference=order[0],
        methods=(results[0], *compared),
        speaker_counts=first["speaker"].value_counts().sort_index().to_dict(),
        fold_counts=first["outer"].value_counts().sort_index().to_dict(),
        repeats=repeats,
    )


def _result(
    method: str,
    table: pd.DataFrame,
    confusions: NDArray[np.int64],
    speakers: Sequence[str],
    weights: NDArray[np.int64],
    num_classes: int,
) -> MethodResult:
    """One method's scores, not yet compared; ``confusions`` is ``(speakers, C, C)``."""
    folds = _fold_scores(table, num_classes)
    by_speaker = zip(speakers, confusion_metric(confusions, "ua"), strict=True)
    return MethodResult(
        method=method,
        seeds=len(table["seed"].unique()),
        confusion=confusions.sum(axis=0),
        pooled={name: _pooled(confusions, weights, name) for name in METRICS},
        spread={name: _spread(folds, name) for name in METRICS},
        folds=_average_over_seeds(folds),
        speaker_ua={speaker: float(ua) for speaker, ua in by_speaker},
        difference=None,
    )


def check_paired(predictions: pd.DataFrame, labels: Sequence[str], methods: Sequence[str]) -> None:
    """
    Raises:
        StoreError: a method is missing, was not tested on the same utterances with the same labels
            in the same folds as the first, or an utterance was predicted twice; or a class is
            unknown.
    """
    for column in ("label", "predicted"):
        unknown = sorted(set(predictions[column].unique()) - set(labels))
        if unknown:
            raise StoreError(f"the predictions' {column} column holds unknown classes: {unknown}")
    wanted: frozenset[tuple[object, ...]] | None = None
    for method in methods:
        table = predictions.loc[predictions["method"] == method]
        if table.empty:
            raise StoreError(f"there are no predictions of {method}; the run has not finished it")
        for seed, part in table.groupby("seed"):
            tested = frozenset(zip(*(part[key] for key in KEYS), strict=True))
            wanted = tested if wanted is None else wanted
            differing = sorted({str(key[0]) for key in tested ^ wanted})
            if differing:
                raise StoreError(
                    f"{method} (seed {seed}) and {methods[0]} were not tested on the same "
                    f"utterances in the same folds: {len(differing)} differ, such as "
                    f"{', '.join(differing[:3])}; finish the run by the same command"
                )
            twice = [name for name, count in Counter(part["utterance"]).items() if count > 1]
            if twice:
                raise StoreError(
                    f"{method} (seed {seed}) predicts an utterance more than once: {twice[0]}"
                )


def _order(predictions: pd.DataFrame) -> tuple[str, ...]:
    """Methods in order of appearance, teachers last."""
    found = [str(method) for method in predictions["method"].unique()]
    return tuple(sorted(found, key=lambda method: method.startswith(TEACHER_PREFIX)))


def _codes(table: pd.DataFrame, column: str, labels: Sequence[str]) -> NDArray[np.int64]:
    """Class numbers of a column of class names."""
    return pd.Index(labels).get_indexer(pd.Index(table[column])).astype(np.int64)


def _pooled(confusions: NDArray[np.int64], weights: NDArray[np.int64], metric: Metric) -> Estimate:
    """``confusions (S, C, C)`` of each speaker, ``weights (repeats, S)`` of the draws."""
    low, high = np.percentile(resampled_metric(confusions, weights, metric), INTERVAL)
    value = confusion_metric(confusions.sum(axis=0), metric)
    return Estimate(float(value), float(low), float(high))


def _difference(
    own: NDArray[np.int64], reference: NDArray[np.int64], weights: NDArray[np.int64]
) -> Difference:
    """Of pooled UA, over the same draws of speakers."""
    draws = resampled_metric(own, weights, "ua") - resampled_metric(reference, weights, "ua")
    low, high = np.percentile(draws, INTERVAL)
    value = confusion_metric(own.sum(axis=0), "ua") - confusion_metric(reference.sum(axis=0), "ua")
    return Difference(float(value), float(low), float(high))


def _fold_scores(table: pd.DataFrame, num_classes: int) -> dict[int, tuple[FoldScores, ...]]:
    """Scores of each outer fold, by seed."""
    by_seed: dict[int, tuple[FoldScores, ...]] = {}
    for seed in sorted(table["seed"].unique()):
        own = table.loc[table["seed"] == seed]
        folds = []
        for outer, part in own.groupby("outer"):
            scores = score(part["truth"], part["guess"], num_classes)
            folds.append(FoldScores(outer, scores.wa, scores.ua, scores.macro_f1))  # pyright: ignore[reportArgumentType] - the key is the column's int
        by_seed[int(seed)] = tuple(folds)
    return by_seed


def _average_over_seeds(by_seed: Mapping[int, tuple[FoldScores, ...]]) -> tuple[FoldScores, ...]:
    return tuple(
        FoldScores(
            outer=fold[0].outer,
            wa=float(np.mean([scores.wa for scores in fold])),
            ua=float(np.mean([scores.ua for scores in fold])),
            macro_f1=float(np.mean([scores.macro_f1 for scores in fold])),
        )
        for fold in zip(*by_seed.values(), strict=True)
    )


def _spread(by_seed: Mapping[int, tuple[FoldScores, ...]], metric: Metric) -> Spread:
    """Mean and sample standard deviation over folds, taken per seed, then averaged."""
    values = np.array([[getattr(fold, metric) for fold in folds] for folds in by_seed.values()])
    return Spread(float(values.mean()), float(values.std(axis=1, ddof=1).mean()))
