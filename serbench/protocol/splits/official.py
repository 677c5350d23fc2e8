"""A corpus's own split, from its records."""

from __future__ import annotations

from collections.abc import Iterable

from serbench.api import SplitError
from serbench.data.corpus.derive import TEST, TRAIN, VALIDATION
from serbench.data.corpus.table import CorpusTable
from serbench.errors import listed
from serbench.protocol.splits.groups import natural_key

OFFICIAL = "official"

SIDES = (TRAIN, VALIDATION, TEST)


def official_folds(table: CorpusTable) -> list[list[str]]:
    """What each fold of the corpus's own split tests; a split in sides is a single fold.

    Raises:
        SplitError: the corpus has no split of its own, or one without training or test.
    """
    side_of = _sides(table)
    named = sorted(set(side_of.values()), key=natural_key)
    if _is_folds(named):
        return [[i for i in table.ids if side_of[i] == name] for name in named]
    if missing := [side for side in (TRAIN, TEST) if side not in named]:
        raise SplitError(
            f"the split of {table.name} has no utterance for {listed(missing)}: it has "
            f"{listed(named)}; choose other folds with --set protocol.folds=loso"
        )
    return [[i for i in table.ids if side_of[i] == TEST]]


def official_trained_only(table: CorpusTable) -> tuple[str, ...]:
    """Utterances that the corpus's own split tests in no fold."""
    side_of = _sides(table)
    if _is_folds(side_of.values()):
        return ()
    return tuple(i for i in table.ids if side_of[i] in {TRAIN, VALIDATION})


def _is_folds(named: Iterable[str]) -> bool:
    """Whether names are those of folds, and not of sides."""
    return not set(named) <= set(SIDES)


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
    if _is_folds(named) and (mixed := sorted(named & set(SIDES))):
        raise SplitError(
            f"the split of {table.name} has both folds and {listed(mixed)}; give each utterance "
            "either the fold that tests it or its side"
        )
    return side_of
