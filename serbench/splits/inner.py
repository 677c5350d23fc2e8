"""Inner folds, over one outer fold's training side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from serbench.api import SplitError
from serbench.corpus import CorpusTable
from serbench.splits.groups import balanced_groups
from serbench.splits.records import Split, make_split


def inner_splits(
    table: CorpusTable,
    outer: Sequence[Split],
    index: int,
    inner: int | Literal["units"],
) -> tuple[Split, ...]:
    """The inner folds over ``outer[index].train``.

    The grouping is that of the outer folds: what another outer fold tests stays together.

    Args:
        table: the corpus.
        outer: all outer folds.
        index: which of them, from 0.
        inner: ``"units"``: what each other outer fold tests is validated on once; a number: the
            same groups, dealt into that many validation folds of similar size.

    Raises:
        SplitError: fewer than two validation folds, more than there are groups, or a class
            without an utterance in an inner training side.
    """
    parent = outer[index]
    available = frozenset(parent.train.ids)
    by_group: dict[str, list[str]] = {}
    for other in outer:
        if other.group != parent.group:
            tested = [i for i in other.test.ids if i in available]
            by_group.setdefault(other.group, []).extend(tested)
    groups = [ids for ids in by_group.values() if ids]
    wanted = len(groups) if inner == "units" else inner
    if not 2 <= wanted <= len(groups):
        raise SplitError(
            f"protocol.inner = {inner}: there must be at least 2 inner folds, and at most as many "
            f"as there are groups of other outer folds, which is {len(groups)}; change "
            "protocol.inner, use more outer folds, or run without a search"
        )
    dealt = balanced_groups([len(group) for group in groups], wanted)
    return tuple(
        make_split(
            table,
            f"{parent.name}/inner-{number}",
            parent.train.ids,
            [i for member in members for i in groups[member]],
            "validation",
        )
        for number, members in enumerate(dealt, start=1)
    )
