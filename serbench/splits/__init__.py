"""Outer and inner folds, as partitions of utterance ids that are grouped by speaker or session.

Folds are only made here; that they leak nothing is proved by ``serbench.leakage``, which trusts
none of what this package says.
"""

from serbench.splits.fold_file import TRAIN_ONLY
from serbench.splits.groups import balanced_groups, linked_groups, listed, natural_key
from serbench.splits.inner import inner_splits
from serbench.splits.official import OFFICIAL
from serbench.splits.outer import outer_splits, random_splits, trained_only
from serbench.splits.records import Partition, Role, Split, utterances_of

__all__ = [
    "OFFICIAL",
    "TRAIN_ONLY",
    "Partition",
    "Role",
    "Split",
    "balanced_groups",
    "inner_splits",
    "linked_groups",
    "listed",
    "natural_key",
    "outer_splits",
    "random_splits",
    "trained_only",
    "utterances_of",
]
