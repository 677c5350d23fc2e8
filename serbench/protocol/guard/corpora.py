"""L1 between corpora: no two corpora of a run may share speakers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from serbench.api import CorpusCard, LeakageError
from serbench.protocol.guard.corpus_names import contents
from serbench.protocol.spelling import folded


def check_distinct(cards: Mapping[str, CorpusCard]) -> None:
    """Prove, as far as cards show it, that no two corpora of a run have a speaker in common.

    Names of speakers do not prove it: two corpora may have different names for one person, or the
    same name for two. Different names mean different people only within one collection.

    Args:
        cards: cards of the run's corpora, by their names.

    Raises:
        LeakageError: L1, two corpora are the same, one is a part of the other, or both are of one
            collection and do not list different speakers.
    """
    known = {name: _contents(name, card) for name, card in cards.items()}
    shared = [
        f"{one} and {other} ({', '.join(sorted(both))})"
        for one, other in itertools.combinations(known, 2)
        if (both := known[one] & known[other]) and not _apart(cards[one], cards[other])
    ]
    if shared:
        raise LeakageError(
            "L1",
            "training and test corpora that share recordings or speakers (choose others, or "
            "cross-validate within one corpus with --dataset)",
            shared,
        )


def _apart(one: CorpusCard, other: CorpusCard) -> bool:
    """Whether both cards list their speakers, and have none in common."""
    known = bool(one.per_speaker) and bool(other.per_speaker)
    return known and not set(map(folded, one.per_speaker)) & set(map(folded, other.per_speaker))


def _contents(name: str, card: CorpusCard) -> frozenset[str]:
    """Canonical names of the corpora that a card stands for, or that it is made of."""
    names = (name, card.title, *card.names, *card.made_of)
    return frozenset[str]().union(*map(contents, names))
