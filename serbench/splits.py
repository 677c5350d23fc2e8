"""Outer and inner folds, as partitions of utterance ids that are grouped by speaker or session.

Folds are only made here; that they leak nothing is proved by ``serbench.leakage``, which trusts
none of what this module says.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from serbench.api import SplitError
from serbench.corpus import CorpusTable, Utterance

Role = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Partition:
    """One side of a split.

    Attributes:
        name: ``"outer-1/train"``, ``"outer-1/test"``, ``"outer-1/inner-2/validation"``.
        ids: utterances, in the table's order.
        units: speakers or sessions (the card's ``unit``), in natural order.
        role: ``"train"`` may be fitted on, ``"validation"`` chooses among fits of an inner fold,
            ``"test"`` is an outer test side, whose labels only ``leakage.Seal`` hands out.
    """

    name: str
    ids: tuple[str, ...]
    units: tuple[str, ...]
    role: Role = "train"

    @property
    def sealed(self) -> bool:
        """True for an outer test side."""
        return self.role == "test"


@dataclass(frozen=True, slots=True)
class Split:
    """A training side and the side it is scored on; named ``outer-1`` or ``outer-1/inner-2``."""

    name: str
    train: Partition
    test: Partition


def outer_splits(table: CorpusTable, folds: str, kfold: int) -> tuple[Split, ...]:
    """The outer folds.

    Args:
        table: the corpus.
        folds: a fold set of the corpus's card, ``"loso"`` (one unit per fold), ``"kfold"``
            (units dealt into ``kfold`` folds of similar size), or a CSV file with the columns
            ``utterance`` and ``fold``, where ``fold`` names the fold that tests the utterance.
        kfold: number of folds of ``"kfold"``.

    Raises:
        SplitError: a single unit; unknown ``folds``; units or utterances that are missing from
            or surplus to them; a class without a training utterance. A class without a test
            utterance is legal.
    """
    sizes = _unit_sizes(table)
    noun = table.card.unit
    if len(sizes) < 2:
        raise SplitError(
            f"{table.name}: folds by {noun} need at least two {noun}s, and it has "
            f"{_listed(sizes) if sizes else 'none'}; use a corpus with more {noun}s"
        )
    tested = _tested_ids(table, folds, kfold, sizes)
    return tuple(
        _split(table, f"outer-{number}", table.ids, ids, "test")
        for number, ids in enumerate(tested, start=1)
    )


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
    groups = [
        tuple(i for i in other.test.ids if i in available)
        for position, other in enumerate(outer)
        if position != index
    ]
    wanted = len(groups) if inner == "units" else inner
    if not 2 <= wanted <= len(groups):
        raise SplitError(
            f"protocol.inner = {inner}: there must be at least 2 inner folds, and at most as many "
            f"as there are other outer folds, which is {len(groups)}; change protocol.inner, use "
            "more outer folds, or run without a search"
        )
    dealt = balanced_groups([len(group) for group in groups], wanted)
    return tuple(
        _split(
            table,
            f"{parent.name}/inner-{number}",
            parent.train.ids,
            [i for member in members for i in groups[member]],
            "validation",
        )
        for number, members in enumerate(dealt, start=1)
    )


def utterances_of(partition: Partition, table: CorpusTable) -> list[Utterance]:
    """A partition's utterances, in its order.

    Raises:
        SplitError: an utterance that the table lacks.
    """
    if unknown := [i for i in partition.ids if i not in table.by_id]:
        raise SplitError(
            f"{partition.name} has utterances that {table.name} lacks: {_listed(unknown)}"
        )
    return [table.by_id[i] for i in partition.ids]


def balanced_groups(weights: Sequence[int], count: int) -> tuple[tuple[int, ...], ...]:
    """Deal positions into ``count`` groups of similar total weight, the same way every time.

    The heaviest goes first, each to the group that is lightest so far (longest processing time
    first; Graham, 1969). Groups are ordered by their first member.

    Raises:
        SplitError: fewer positions than groups.
    """
    if not 1 <= count <= len(weights):
        raise SplitError(f"{len(weights)} units cannot be dealt into {count} groups")
    members: list[list[int]] = [[] for _ in range(count)]
    totals = [0] * count
    for position in sorted(range(len(weights)), key=lambda p: (-weights[p], p)):
        lightest = min(range(count), key=lambda g: (totals[g], len(members[g]), g))
        members[lightest].append(position)
        totals[lightest] += weights[position]
    return tuple(sorted(tuple(sorted(group)) for group in members))


def natural_key(name: str) -> tuple[str | int, ...]:
    """A sort key under which ``"Ses2" < "Ses10"``."""
    return tuple(
        int(part) if position % 2 else part for position, part in enumerate(_DIGITS.split(name))
    )


_DIGITS = re.compile(r"([0-9]+)")


def _unit_sizes(table: CorpusTable) -> dict[str, int]:
    """Utterances of each unit, units in natural order."""
    counts = Counter(table.unit_of(utterance) for utterance in table.utterances)
    return {unit: counts[unit] for unit in sorted(counts, key=natural_key)}


def _tested_ids(
    table: CorpusTable, folds: str, kfold: int, sizes: Mapping[str, int]
) -> list[list[str]]:
    """Which utterances each outer fold tests."""
    if folds in table.card.fold_sets:
        groups = _checked_fold_set(table, folds, sizes)
    elif folds == "loso":
        groups = [(unit,) for unit in sizes]
    elif folds == "kfold":
        groups = _kfold_groups(table, kfold, sizes)
    elif folds.lower().endswith(".csv") or Path(folds).is_file():
        return _read_fold_file(table, Path(folds))
    else:
        known = ", ".join([*sorted(table.card.fold_sets), "loso", "kfold"])
        raise SplitError(
            f"protocol.folds = {folds!r}: {table.name} has {known}; or name a CSV file with the "
            "columns utterance and fold"
        )
    fold_of = {unit: number for number, group in enumerate(groups) for unit in group}
    tested: list[list[str]] = [[] for _ in groups]
    for utterance in table.utterances:
        tested[fold_of[table.unit_of(utterance)]].append(utterance.id)
    return tested


def _checked_fold_set(
    table: CorpusTable, name: str, sizes: Mapping[str, int]
) -> list[tuple[str, ...]]:
    """The card's fold set, held against the units that the corpus has."""
    groups = [tuple(group) for group in table.card.fold_sets[name]]
    named = Counter(unit for group in groups for unit in group)
    noun = table.card.unit
    faults = []
    if len(groups) < 2 or not all(groups):
        faults.append("it must have at least two folds and none of them empty")
    if repeated := [unit for unit, count in named.items() if count > 1]:
        faults.append(f"named more than once: {_listed(repeated)}")
    if missing := [unit for unit in named if unit not in sizes]:
        faults.append(f"{noun}s it names that the corpus does not have: {_listed(missing)}")
    if surplus := [unit for unit in sizes if unit not in named]:
        faults.append(f"{noun}s of the corpus that it does not name: {_listed(surplus)}")
    if faults:
        raise SplitError(
            f"fold set {name!r} does not fit {table.name}: {'; '.join(faults)}. Complete the "
            "corpus, or choose other folds with --set protocol.folds=loso"
        )
    return groups


def _kfold_groups(
    table: CorpusTable, kfold: int, sizes: Mapping[str, int]
) -> list[tuple[str, ...]]:
    """Units dealt into ``kfold`` groups of similar size."""
    if not 2 <= kfold <= len(sizes):
        raise SplitError(
            f"protocol.kfold = {kfold}: {table.name} has {len(sizes)} {table.card.unit}s, so it "
            f"can be 2 to {len(sizes)}"
        )
    units = list(sizes)
    dealt = balanced_groups(list(sizes.values()), kfold)
    return [tuple(units[member] for member in members) for members in dealt]


def _read_fold_file(table: CorpusTable, path: Path) -> list[list[str]]:
    """What each fold of a fold file tests, folds in natural order of their names."""
    rows = _fold_rows(path)
    fold_of: dict[str, str] = {}
    repeated = []
    for line, utterance, fold in rows:
        if utterance in fold_of:
            repeated.append(f"{utterance} (line {line})")
        fold_of[utterance] = fold
    known = frozenset(table.ids)
    faults = []
    if repeated:
        faults.append(f"utterances named more than once: {_listed(repeated)}")
    if unknown := [i for i in fold_of if i not in known]:
        faults.append(f"utterances that {table.name} does not have: {_listed(unknown)}")
    if missing := [i for i in table.ids if i not in fold_of]:
        faults.append(f"utterances of {table.name} without a fold: {_listed(missing)}")
    names = sorted(set(fold_of.values()), key=natural_key)
    if len(names) < 2:
        faults.append("there must be at least two folds")
    if faults:
        raise SplitError(f"fold file {path}: {'; '.join(faults)}")
    return [[i for i in table.ids if fold_of[i] == name] for name in names]


def _fold_rows(path: Path) -> list[tuple[int, str, str]]:
    """Line, utterance and fold of each row of a fold file."""
    rows = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            columns = reader.fieldnames or ()
            if not {"utterance", "fold"} <= set(columns):
                raise SplitError(
                    f"fold file {path}: it must have the columns utterance and fold, and has "
                    f"{_listed(columns) if columns else 'none'}"
                )
            for row in reader:
                utterance, fold = (row["utterance"] or "").strip(), (row["fold"] or "").strip()
                if not utterance or not fold:
                    raise SplitError(
                        f"fold file {path}: line {reader.line_num} lacks its utterance or its fold"
                    )
                rows.append((reader.line_num, utterance, fold))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SplitError(f"fold file {path} cannot be read: {error}") from error
    return rows


def _split(
    table: CorpusTable, name: str, universe: Iterable[str], tested: Iterable[str], role: Role
) -> Split:
    """One split of ``universe``; checks that every class has a training utterance."""
    held_out = frozenset(tested)
    scored = _partition(table, f"{name}/{role}", held_out, role)
    train = _partition(table, f"{name}/train", frozenset(universe) - held_out, "train")
    present = {table.by_id[i].label for i in train.ids}
    if absent := [label for label in table.labels if label not in present]:
        raise SplitError(
            f"{train.name} of {table.name} has no utterance of {_listed(absent)}: a fit cannot "
            "learn a class it never hears; choose other folds with --set protocol.folds=…, or "
            "another number of inner folds with --set protocol.inner=…"
        )
    return Split(name, train, scored)


def _partition(table: CorpusTable, name: str, ids: frozenset[str], role: Role) -> Partition:
    members = [utterance for utterance in table.utterances if utterance.id in ids]
    units = sorted({table.unit_of(utterance) for utterance in members}, key=natural_key)
    return Partition(name, tuple(u.id for u in members), tuple(units), role)


def _listed(names: Iterable[str]) -> str:
    """The first eight names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - 8} more" if len(every) > 8 else ""
    return ", ".join(every[:8]) + more
