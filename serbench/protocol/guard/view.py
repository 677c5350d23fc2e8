"""L6: the data that a fit may see. A fit gets a view, never the corpus table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray

from serbench.api import LeakageError, Params
from serbench.data.corpus.table import CorpusTable, Utterance
from serbench.protocol.splits.records import Partition, Role, utterances_of


class FittedRecord(Params):
    """Record of something that was fitted, and of its utterances.

    Attributes:
        what: for instance ``"normaliser"``, ``"head of wav2vec2-base"``.
        partition: name of the training partition that it was allowed to see.
        utterances: number of utterances that it was fitted on.
        digest: ``id_set_digest`` of these utterances.
    """

    what: str
    partition: str
    utterances: int
    digest: str


class PartitionView:
    """One partition's ids, labels, units and speakers, and a record of what was fitted on it.

    It contains no other utterance and no table, so a worker process that receives a view has no
    other labels. A worker returns the records, ``fitted``, with its result.

    Args:
        partition: a training or validation partition.
        table: the corpus; it is read here and not kept.
        labels: classes to give out instead of the corpus's, by utterance: the permuted ones of a
            canary.

    Raises:
        LeakageError: L8, for an outer test partition: only ``Seal.open`` gives its labels.
        SplitError: the table lacks an utterance.
    """

    __slots__ = ("_fitted", "_ids", "_labels", "_name", "_role", "_speakers", "_units")

    def __init__(
        self,
        partition: Partition,
        table: CorpusTable,
        labels: Mapping[str, int] | None = None,
    ) -> None:
        if partition.sealed:
            raise LeakageError("L8", f"{partition.name} is sealed: only Seal.open gives its labels")
        members = utterances_of(partition, table)
        self._name: str = partition.name
        self._role: Role = partition.role
        self._ids: tuple[str, ...] = partition.ids
        self._labels: NDArray[np.int64] = (
            classes_of(members, table)
            if labels is None
            else np.array([labels[i] for i in partition.ids], dtype=np.int64)
        )
        self._units: tuple[str, ...] = tuple(table.unit_of(u) for u in members)
        self._speakers: tuple[str, ...] = tuple(u.speaker for u in members)
        self._fitted: list[FittedRecord] = []

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        return f"PartitionView({self._name!r}, {len(self)} utterances)"

    @property
    def name(self) -> str:
        """The partition's name."""
        return self._name

    @property
    def role(self) -> Role:
        """``"train"`` or ``"validation"``."""
        return self._role

    @property
    def ids(self) -> tuple[str, ...]:
        """The N utterances."""
        return self._ids

    @property
    def labels(self) -> NDArray[np.int64]:
        """``(N,)`` int64, the classes of ``ids`` in the order of the card's labels; a copy."""
        return self._labels.copy()

    @property
    def units(self) -> tuple[str, ...]:
        """The N utterances' speakers or sessions, whichever the folds group by."""
        return self._units

    @property
    def speakers(self) -> tuple[str, ...]:
        """The N utterances' speakers."""
        return self._speakers

    @property
    def fitted(self) -> tuple[FittedRecord, ...]:
        """Records of everything that was fitted on this view, in order."""
        return tuple(self._fitted)

    def again(self) -> PartitionView:
        """A view of the same partition without records; it shares the data with this one."""
        other = copy(self)
        other._fitted = []
        return other

    def require(self, ids: Iterable[str]) -> None:
        """Prove that all ``ids`` are in this partition.

        Raises:
            LeakageError: L6, with the partition and the foreign ids.
        """
        if foreign := sorted(set(ids).difference(self._ids)):
            raise LeakageError("L6", f"utterances from outside {self._name}", foreign)

    def positions(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """``(n,)`` int64, positions of ``ids`` in ``self.ids``.

        Raises:
            LeakageError: as ``require``.
        """
        self.require(ids)
        # Not cached: with a large corpus and many fits at a time, it would take gigabytes.
        position = {i: p for p, i in enumerate(self._ids)}
        return np.array([position[i] for i in ids], dtype=np.int64)

    def label_of(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """``(n,)`` int64, the classes of ``ids``.

        Raises:
            LeakageError: as ``require``.
        """
        return self._labels[self.positions(ids)]

    def record(self, what: str, ids: Sequence[str]) -> FittedRecord:
        """Allow ``what`` to be fitted on ``ids``, and record it for the certificate.

        Call it with the utterances that the fit really gets, before the fit.

        Raises:
            LeakageError: L6, ids are foreign, or this is a validation partition, on which nothing
                may be fitted.
        """
        if self._role != "train":
            raise LeakageError(
                "L6", f"{what} must not be fitted on {self._name}, a {self._role} side"
            )
        self.require(ids)
        record = FittedRecord(
            what=what,
            partition=self._name,
            utterances=len(set(ids)),
            digest=id_set_digest(ids),
        )
        self._fitted.append(record)
        return record


def classes_of(utterances: Sequence[Utterance], table: CorpusTable) -> NDArray[np.int64]:
    """``(n,)`` int64, classes in the order of the card's labels."""
    class_of = {label: number for number, label in enumerate(table.labels)}
    return np.array([class_of[u.label] for u in utterances], dtype=np.int64)


def id_set_digest(ids: Iterable[str]) -> str:
    """sha256 (hex) of a set of ids; order and repetition make no difference."""
    whole = hashlib.sha256()
    for i in sorted(set(ids)):
        whole.update(i.encode())
        whole.update(b"\n")
    return whole.hexdigest()
