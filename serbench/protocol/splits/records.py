"""Partitions and splits, and how they are made from sets of utterance ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from serbench.api import SplitError
from serbench.data.corpus.table import CorpusTable, Utterance
from serbench.errors import listed
from serbench.protocol.splits.groups import natural_key

Role = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Partition:
    """One side of a split.

    Attributes:
        name: ``"outer-1/train"``, ``"outer-1/test"``, ``"outer-1/inner-2/validation"``.
        ids: utterances, in the table's order.
        units: speakers or sessions (the card's ``unit``), in natural order.
        role: models may be fitted on ``"train"``; ``"validation"`` chooses among fits of an inner
            fold; ``"test"`` is an outer test side, whose labels only ``guard.seal.Seal`` hands out.
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
    """A training side and the side it is scored on; named ``outer-1`` or ``outer-1/inner-2``.

    Attributes:
        group: outer folds of one group test the same units; inner folds keep them together.
        test_sets: parts of the test side that are scored separately, the headline's first; empty:
            the test side is scored as a whole.
    """

    name: str
    train: Partition
    test: Partition
    group: str = ""
    test_sets: tuple[Partition, ...] = ()

    @property
    def set_of(self) -> dict[str, str]:
        """The test set of each test utterance; empty if they are scored as a whole."""
        return {i: set_name(part) for part in self.test_sets for i in part.ids}

    @property
    def headline(self) -> Split:
        """This split with only the first test set."""
        return replace(self, test=self.test_sets[0], test_sets=()) if self.test_sets else self


def utterances_of(partition: Partition, table: CorpusTable) -> list[Utterance]:
    """A partition's utterances, in its order.

    Raises:
        SplitError: the table lacks an utterance.
    """
    if unknown := [i for i in partition.ids if i not in table.by_id]:
        raise SplitError(
            f"{partition.name} has utterances that are not in {table.name}: {listed(unknown)}"
        )
    return [table.by_id[i] for i in partition.ids]


def make_split(
    table: CorpusTable,
    name: str,
    trained: Iterable[str],
    tested: Iterable[str],
    role: Role,
    group: str = "",
) -> Split:
    """A split that trains on ``trained`` without ``tested``, and tests on ``tested``.

    Raises:
        SplitError: a class has no training utterance.
    """
    held_out = frozenset(tested)
    scored = make_partition(table, f"{name}/{role}", held_out, role)
    train = make_partition(table, f"{name}/train", frozenset(trained) - held_out, "train")
    present = {table.by_id[i].label for i in train.ids}
    if absent := [label for label in table.labels if label not in present]:
        raise SplitError(
            f"{train.name} of {table.name} has no utterance of {listed(absent)}: a model cannot "
            "learn a class without training examples; choose other folds with --set "
            "protocol.folds=…, or another number of inner folds with --set protocol.inner=…"
        )
    return Split(name, train, scored, group or name)


def make_partition(table: CorpusTable, name: str, ids: frozenset[str], role: Role) -> Partition:
    """A partition of the utterances ``ids``, in the table's order."""
    members = [utterance for utterance in table.utterances if utterance.id in ids]
    units = sorted({table.unit_of(utterance) for utterance in members}, key=natural_key)
    return Partition(name, tuple(u.id for u in members), tuple(units), role)


def set_name(test_set: Partition) -> str:
    """A test set's name in the corpus's own split, such as ``"test2"``."""
    return test_set.name.rpartition("/")[2]


def with_test_sets(table: CorpusTable, split: Split, sets: Mapping[str, frozenset[str]]) -> Split:
    """An outer fold whose test side consists of those parts of these sets that it tests."""
    here = frozenset(split.test.ids)
    made = [
        make_partition(table, f"{split.name}/{name}", ids & here, "test")
        for name, ids in sets.items()
        if ids & here
    ]
    return replace(split, test_sets=tuple(made))
