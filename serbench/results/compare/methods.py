"""Paired comparison of methods that were tested on the same utterances.

Pooled scores count every test utterance once per seed. Their 95 % intervals come from draws of
whole speakers. Differences between methods are paired: tests and intervals by folds say what the
method does when it is trained again on other speakers; tests and intervals by speakers say what
these trained models do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from serbench.api import StoreError
from serbench.learning.evaluate import (
    Metric,
    confusion_metric,
    resample_weights,
    score,
    speaker_confusions,
)
from serbench.results.compare.differences import Tested, paired_differences
from serbench.results.compare.drawn import Drawn
from serbench.results.compare.folds import fold_design, fold_groups
from serbench.results.compare.intervals import REPEATS
from serbench.results.compare.records import (
    KEYS,
    METRICS,
    Comparison,
    FoldScores,
    MethodResult,
    Question,
    Spread,
)
from serbench.running.store.run import TEACHER_PREFIX


def comparison(
    predictions: pd.DataFrame,
    labels: Sequence[str],
    methods: Sequence[str] | None = None,
    repeats: int = REPEATS,
    seed: int = 0,
    *,
    train_counts: Mapping[int, int] | None = None,
    question: Question = "method",
) -> Comparison:
    """Score every method and compare each with the first.

    Args:
        predictions: rows as in ``store.PREDICTION_COLUMNS``.
        labels: the C class names in posterior order.
        methods: methods to compare, the reference first; default: in order of appearance, teachers
            last.
        repeats: number of bootstrap draws.
        seed: seed of the draws; the same seed gives the same intervals.
        train_counts: training utterances of each outer fold (``StoredRun.train_counts``); None: all
            that the fold does not test.
        question: ``"models"`` if all methods are the same trained models, run in different ways.

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
    first = tables[order[0]].drop_duplicates(subset=["utterance"])
    fold_counts = first["outer"].value_counts().sort_index()
    groups = fold_groups(first)
    design = fold_design(first, groups, train_counts, question)
    tested = {
        method: Tested(own, _fold_confusions(tables[method], groups, len(labels)))
        for method, own in confusions.items()
    }
    reference = tested.pop(order[0])
    differences = paired_differences(tested, reference, weights, design)
    compared = tuple(
        replace(result, difference=differences[result.method]) for result in results[1:]
    )
    return Comparison(
        labels=tuple(labels),
        reference=order[0],
        methods=(results[0], *compared),
        speaker_counts=first["speaker"].value_counts().sort_index().to_dict(),
        fold_counts=fold_counts.to_dict(),
        repeats=repeats,
        design=design,
    )


def _fold_confusions(
    table: pd.DataFrame, groups: Mapping[int, int], num_classes: int
) -> NDArray[np.int64]:
    """Confusions ``(J, C, C)`` of each group of folds, summed over seeds."""
    group = np.array([groups[int(outer)] for outer in table["outer"]])
    places = group, table["truth"].to_numpy(), table["guess"].to_numpy()
    found = np.zeros((max(groups.values()) + 1, num_classes, num_classes), dtype=np.int64)
    np.add.at(found, places, 1)
    return found


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
        pooled={name: Drawn.of(confusions, weights, name).estimate for name in METRICS},
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
            raise StoreError(
                f"the run has no predictions of {method}; finish it with the same command"
            )
        for seed, part in table.groupby("seed"):
            tested = frozenset(zip(*(part[key] for key in KEYS), strict=True))
            wanted = tested if wanted is None else wanted
            differing = sorted({str(key[0]) for key in tested ^ wanted})
            if differing:
                raise StoreError(
                    f"{method} (seed {seed}) and {methods[0]} were not tested on the same "
                    f"utterances in the same folds: {len(differing)} differ, such as "
                    f"{', '.join(differing[:3])}; finish the run with the same command"
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
    """Mean and sample standard deviation over folds, computed for each seed, then averaged."""
    values = np.array([[getattr(fold, metric) for fold in folds] for folds in by_seed.values()])
    several = values.shape[1] > 1
    return Spread(
        float(values.mean()), float(values.std(axis=1, ddof=1).mean()) if several else None
    )
