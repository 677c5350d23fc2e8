"""The design of outer folds: which of them are independent, and how much their training overlaps.

A trained model is shared by all speakers of its test fold, and models of different folds share
training data. For both reasons the units are folds, and not speakers, if the question is what a
method does when it is trained again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from statistics import fmean

import pandas as pd

from serbench.results.compare.records import FoldDesign, Question


def fold_groups(tested: pd.DataFrame) -> dict[int, int]:
    """Group outer folds: those that test the same speaker are in one group.

    They are as difficult as the same voices are, so they are not independent folds.

    Args:
        tested: rows with ``outer`` and ``speaker``.

    Returns:
        The number of each fold's group, 0 … J−1, by fold, in order.
    """
    group_of: dict[int, int] = {}
    by_speaker = tested.groupby("speaker")["outer"].unique()
    for outers in [[int(fold) for fold in folds] for folds in by_speaker]:
        joined = {group_of[fold] for fold in outers if fold in group_of}
        group = min(joined, default=len(group_of))
        group_of |= dict.fromkeys(outers, group)
        group_of = {fold: group if own in joined else own for fold, own in group_of.items()}
    ordered = {fold: group_of[fold] for fold in sorted(group_of)}
    numbers = {own: number for number, own in enumerate(dict.fromkeys(ordered.values()))}
    return {fold: numbers[own] for fold, own in ordered.items()}


def fold_design(
    tested: pd.DataFrame,
    groups: Mapping[int, int],
    train_counts: Mapping[int, int] | None,
    question: Question,
) -> FoldDesign:
    """The design on which a test over folds is based.

    Args:
        tested: a row with ``outer`` for each test utterance.
        groups: the result of ``fold_groups``.
        train_counts: training utterances of each outer fold; None: all that the fold does not test.
        question: what is asked; a single fold allows statements about its models only.
    """
    counts = Counter(int(outer) for outer in tested["outer"])
    folds = len(set(groups.values()))
    if folds < 2:
        return FoldDesign("models", folds, 0.0, assumed=False)
    train = train_counts or {outer: counts.total() - own for outer, own in counts.items()}
    share = fmean(own / train[outer] for outer, own in counts.items())
    return FoldDesign(question, folds, share, assumed=train_counts is None)
