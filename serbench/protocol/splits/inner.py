"""Inner folds, over one outer fold's training side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from serbench.api import SplitError
from serbench.data.corpus.derive import VALIDATION
from serbench.data.corpus.table import CorpusTable
from serbench.protocol.splits.groups import balanced_groups
from serbench.protocol.splits.records import Split, make_split

ALONE = 5
"""Number of inner folds of a run with a single outer fold, if nothing else determines it."""


def inner_splits(
    table: CorpusTable,
    outer: Sequence[Split],
    index: int,
    inner: int | Literal["units"],
) -> tuple[Split, ...]:
    """The inner folds over ``outer[index].train``.

    Utterances are grouped by the outer folds: those that another outer fold tests stay together. If
    there is no other outer fold, they are grouped by speaker or session.

    Args:
        table: the corpus.
        outer: all outer folds.
        index: number of the outer fold, from 0.
        inner: ``"units"``: one inner fold validates on the test utterances of each other outer
            fold. If there is no other outer fold, the corpus's own split gives the validation
            part; if it has none, there are up to ``ALONE`` folds of units. A number: the same
            groups, divided into that many validation folds of similar size.

    Raises:
        SplitError: there are fewer than two validation folds or more than groups, or a class has no
            utterance in an inner training side.
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
    if not groups:
        validation = [i for i in parent.train.ids if table.by_id[i].official == VALIDATION]
        if validation and inner == "units":
            name = f"{parent.name}/inner-1"
            return (make_split(table, name, parent.train.ids, validation, "validation"),)
        groups = _by_unit(table, parent)
        wanted = min(ALONE, len(groups)) if inner == "units" else inner
    if not 2 <= wanted <= len(groups):
        raise SplitError(
            f"protocol.inner = {inner}: the number of inner folds must be between 2 and the "
            f"number of groups to hold out, here {len(groups)}; change protocol.inner, use more "
            "outer folds, or run without a search"
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


def _by_unit(table: CorpusTable, parent: Split) -> list[list[str]]:
    """The training utterances of each speaker or session, in natural order."""
    groups: dict[str, list[str]] = {unit: [] for unit in parent.train.units}
    for utterance in parent.train.ids:
        groups[table.unit_of(table.by_id[utterance])].append(utterance)
    return list(groups.values())
