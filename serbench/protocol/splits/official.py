"""A corpus's own split, from its records."""

from __future__ import annotations

from serbench.api import SplitError
from serbench.data.corpus.derive import TEST, TRAIN, VALIDATION, is_split_in_sides, is_test_set
from serbench.data.corpus.table import CorpusTable
from serbench.errors import listed
from serbench.protocol.splits.groups import natural_key

OFFICIAL = "official"


def official_folds(table: CorpusTable) -> list[list[str]]:
    """The utterances that each fold of the corpus's own split tests.

    A split in sides is a single fold, whose test side is all its test sets together.

    Raises:
        SplitError: the corpus has no split of its own, or one without a training or test side.
    """
    side_of = _sides(table)
    named = sorted(set(side_of.values()), key=natural_key)
    if not is_split_in_sides(named):
        return [[i for i in table.ids if side_of[i] == name] for name in named]
    missing = [] if TRAIN in named else [TRAIN]
    missing += [] if any(map(is_test_set, named)) else [TEST]
    if missing:
        raise SplitError(
            f"the split of {table.name} has no utterance for {listed(missing)}: it has "
            f"{listed(named)}; choose other folds with --set protocol.folds=loso"
        )
    return [[i for i in table.ids if is_test_set(side_of[i])]]


def official_test_sets(table: CorpusTable) -> dict[str, frozenset[str]]:
    """The test sets of a split in sides, ``"test"`` first; empty if there are not several."""
    side_of = _sides(table)
    names = sorted({s for s in side_of.values() if is_test_set(s)}, key=natural_key)
    if not is_split_in_sides(side_of.values()) or len(names) < 2:
        return {}
    return {name: frozenset(i for i in table.ids if side_of[i] == name) for name in names}


def official_trained_only(table: CorpusTable) -> tuple[str, ...]:
    """Utterances that no fold of the corpus's own split tests."""
    side_of = _sides(table)
    if not is_split_in_sides(side_of.values()):
        return ()
    return tuple(i for i in table.ids if not is_test_set(side_of[i]))


def _sides(table: CorpusTable) -> dict[str, str]:
    """The side or the fold of each utterance."""
    if unknown := [u.id for u in table.utterances if u.official is None]:
        what = (
            "no split of its own"
            if len(unknown) == len(table.utterances)
            else (f"no side in its own split for {listed(unknown)}")
        )
        raise SplitError(
            f"{table.name} has {what}; choose other folds with --set protocol.folds=loso"
        )
    side_of = {u.id: u.official or "" for u in table.utterances}
    named = set(side_of.values())
    if not is_split_in_sides(named) and (mixed := sorted(named & {TRAIN, VALIDATION, TEST})):
        raise SplitError(
            f"the split of {table.name} has both folds and {listed(mixed)}; give each utterance "
            "either the fold that tests it or its side"
        )
    return side_of
