"""Outer folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from serbench.api import SplitError
from serbench.data.corpus.table import CorpusTable
from serbench.errors import listed
from serbench.files.paths import is_file
from serbench.protocol.splits.fold_file import file_trained_only, read_fold_file
from serbench.protocol.splits.groups import balanced_groups, linked_groups, natural_key
from serbench.protocol.splits.official import (
    OFFICIAL,
    official_folds,
    official_test_sets,
    official_trained_only,
)
from serbench.protocol.splits.records import Split, make_split, with_test_sets


def outer_splits(
    table: CorpusTable,
    folds: str,
    kfold: int,
    *,
    text_groups: int = 1,
    links: Iterable[tuple[str, str]] = (),
) -> tuple[Split, ...]:
    """The outer folds.

    Args:
        table: the corpus.
        folds: a fold set of the corpus's card, ``"loso"`` (one unit per fold), ``"kfold"``
            (units divided into ``kfold`` folds of similar size), ``"official"`` (the corpus's own
            split), or a CSV file with the columns ``utterance`` and ``fold``. ``fold`` is the name
            of the fold that tests the utterance, or ``train`` if no fold tests it.
        kfold: number of folds of ``"kfold"``.
        text_groups: divide the spoken sentences into this many groups and test each group in a
            fold of its own, with no utterance of its sentences or its units in training; 1: the
            same sentence may be spoken on both sides.
        links: pairs of utterances whose units ``"loso"`` and ``"kfold"`` keep in one fold.

    Raises:
        SplitError: there is a single unit; ``folds`` is unknown, or does not have exactly the
            corpus's units or utterances; a class has no training utterance; sentences are unknown.
            A class without a test utterance is allowed.
    """
    sizes = _unit_sizes(table)
    noun = table.card.unit
    if len(sizes) < 2:
        raise SplitError(
            f"{table.name}: folds by {noun} need at least two {noun}s, and it has "
            f"{listed(sizes) if sizes else 'none'}; use a corpus with more {noun}s"
        )
    linked = [(_unit(table, one), _unit(table, other)) for one, other in links]
    tested = _tested_ids(table, folds, kfold, sizes, linked)
    if text_groups > 1:
        splits = _text_splits(table, tested, text_groups)
    else:
        splits = tuple(
            make_split(table, f"outer-{number}", table.ids, ids, "test")
            for number, ids in enumerate(tested, start=1)
        )
    sets = official_test_sets(table) if folds == OFFICIAL else {}
    return tuple(with_test_sets(table, split, sets) for split in splits) if sets else splits


def trained_only(table: CorpusTable, folds: str) -> tuple[str, ...]:
    """Utterances that no fold tests, according to ``folds``; all others must be tested once.

    Raises:
        SplitError: as ``outer_splits``.
    """
    if folds in table.card.fold_sets or folds in {"loso", "kfold"}:
        return ()
    if folds == OFFICIAL:
        return official_trained_only(table)
    return file_trained_only(table, Path(folds))


def random_splits(table: CorpusTable, count: int, seed: int) -> tuple[Split, ...]:
    """``count`` folds of utterances, drawn at random within each class without regard to speakers.

    These folds leak speakers. Their only use is to show by how much that inflates scores.

    Raises:
        SplitError: a class has no training utterance.
    """
    random = np.random.default_rng(seed)
    fold_of = np.empty(len(table.ids), dtype=np.int64)
    dealt = 0
    for label in range(len(table.labels)):
        rows = random.permutation(np.flatnonzero(table.label_index == label))
        fold_of[rows] = (np.arange(len(rows)) + dealt) % count
        dealt += len(rows)
    return tuple(
        make_split(
            table,
            f"outer-{fold + 1}",
            table.ids,
            [i for i, its in zip(table.ids, fold_of, strict=True) if its == fold],
            "test",
        )
        for fold in range(count)
    )


def _text_splits(
    table: CorpusTable, tested: Sequence[Sequence[str]], text_groups: int
) -> tuple[Split, ...]:
    """One fold for each fold and group of sentences; training has neither these units nor these
    sentences.
    """
    if unknown := [u.id for u in table.utterances if u.text is None]:
        raise SplitError(
            f'protocol.group_by = "text": in {table.name}, the sentence is not known for '
            f"{listed(unknown)}"
        )
    text_of = {u.id: u.text or "" for u in table.utterances}
    counts = Counter(text_of.values())
    texts = sorted(counts, key=natural_key)
    if len(texts) < text_groups:
        raise SplitError(
            f"protocol.text_groups = {text_groups}: {table.name} has only {len(texts)} sentences"
        )
    dealt = balanced_groups([counts[text] for text in texts], text_groups)
    splits: list[Split] = []
    for group, ids in enumerate(tested, start=1):
        elsewhere = frozenset(table.ids).difference(ids)
        for members in dealt:
            spoken = {texts[member] for member in members}
            if not (test := [i for i in ids if text_of[i] in spoken]):
                continue
            train = [i for i in table.ids if i in elsewhere and text_of[i] not in spoken]
            name = f"outer-{len(splits) + 1}"
            splits.append(make_split(table, name, train, test, "test", f"units {group}"))
    return tuple(splits)


def _unit(table: CorpusTable, utterance: str) -> str:
    return table.unit_of(table.by_id[utterance])


def _unit_sizes(table: CorpusTable) -> dict[str, int]:
    """Number of utterances of each unit, units in natural order."""
    counts = Counter(table.unit_of(utterance) for utterance in table.utterances)
    return {unit: counts[unit] for unit in sorted(counts, key=natural_key)}


def _tested_ids(
    table: CorpusTable,
    folds: str,
    kfold: int,
    sizes: Mapping[str, int],
    linked: Sequence[tuple[str, str]],
) -> list[list[str]]:
    """The utterances that each outer fold tests."""
    if folds in table.card.fold_sets:
        groups = _checked_fold_set(table, folds, sizes)
    elif folds == "loso":
        groups = linked_groups(list(sizes), linked)
    elif folds == "kfold":
        groups = _kfold_groups(table, kfold, sizes, linked)
    elif folds == OFFICIAL:
        return official_folds(table)
    elif folds.lower().endswith(".csv") or is_file(Path(folds)):
        return read_fold_file(table, Path(folds))
    else:
        known = ", ".join([*sorted(table.card.fold_sets), "loso", "kfold", OFFICIAL])
        raise SplitError(
            f"protocol.folds = {folds!r}: {table.name} has {known}; or give a CSV file with the "
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
    """The card's fold set, checked against the units of the corpus."""
    groups = [tuple(group) for group in table.card.fold_sets[name]]
    named = Counter(unit for group in groups for unit in group)
    noun = table.card.unit
    faults = []
    if len(groups) < 2 or not all(groups):
        faults.append("it must have at least two folds, none of them empty")
    if repeated := [unit for unit, count in named.items() if count > 1]:
        faults.append(f"{noun}s that occur more than once: {listed(repeated)}")
    if missing := [unit for unit in named if unit not in sizes]:
        faults.append(f"{noun}s that are not in the corpus: {listed(missing)}")
    if surplus := [unit for unit in sizes if unit not in named]:
        faults.append(f"{noun}s of the corpus that are in no fold: {listed(surplus)}")
    if faults:
        raise SplitError(
            f"fold set {name!r} does not fit {table.name}: {'; '.join(faults)}. Complete the "
            "corpus, or choose other folds with --set protocol.folds=loso"
        )
    return groups


def _kfold_groups(
    table: CorpusTable,
    kfold: int,
    sizes: Mapping[str, int],
    linked: Sequence[tuple[str, str]],
) -> list[tuple[str, ...]]:
    """``kfold`` groups of units of similar size, with linked units together."""
    bound = linked_groups(list(sizes), linked)
    if not 2 <= kfold <= len(bound):
        together = "" if len(bound) == len(sizes) else f" in {len(bound)} groups that share audio"
        raise SplitError(
            f"protocol.kfold = {kfold}: {table.name} has {len(sizes)} "
            f"{table.card.unit}s{together}, so choose a number from 2 to {len(bound)}"
        )
    dealt = balanced_groups([sum(sizes[unit] for unit in group) for group in bound], kfold)
    return [tuple(unit for member in members for unit in bound[member]) for members in dealt]
