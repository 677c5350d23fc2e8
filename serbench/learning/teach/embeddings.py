"""A teacher's embeddings of a whole corpus, mapped from the disk.

Everything that is fitted takes ``TrainingEmbeddings``, which only a view of a training partition
gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from serbench.api import TeacherCard, TeacherError
from serbench.learning.features import Frames
from serbench.learning.frame_map import release
from serbench.protocol.guard.view import PartitionView


@dataclass(frozen=True)
class TeacherEmbeddings:
    """Embeddings of the U utterances of a corpus, made without labels.

    Attributes:
        name: the teacher's name in the registry.
        card: the teacher's card.
        ids: the utterances, in the corpus table's order.
        stored_pooled: ``(U, L, P)`` float32, statistics over time of each of L layers, in the order
            in which they were stored; usually a read-only memory map. ``pooled_of`` gives those of
            chosen utterances.
        frames: ``(total_frames, L, D)`` float16, a read-only memory map of all utterances' frames.
        frame_start: ``(U,)`` int64, each utterance's first row of ``frames``.
        frame_count: ``(U,)`` int64, each utterance's number of rows.
        frame_rate_hz: frames per second.
        digest: sha256 over ids and values.
        pooled_row: ``(U,)`` int64, each utterance's row of ``stored_pooled``; None: they are in the
            order of ``ids``.
    """

    name: str
    card: TeacherCard
    ids: tuple[str, ...]
    stored_pooled: NDArray[np.float32]
    frames: NDArray[np.float16]
    frame_start: NDArray[np.int64]
    frame_count: NDArray[np.int64]
    frame_rate_hz: float
    digest: str
    pooled_row: NDArray[np.int64] | None = None

    @cached_property
    def _row(self) -> dict[str, int]:
        return {id_: row for row, id_ in enumerate(self.ids)}

    def rows(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """``(n,)``, positions of ``ids`` in ``self.ids``.

        Raises:
            TeacherError: an utterance was not embedded.
        """
        missing = [id_ for id_ in ids if id_ not in self._row]
        if missing:
            raise TeacherError(f"{self.name} has no embedding of {missing[0]!r}")
        return np.array([self._row[id_] for id_ in ids], dtype=np.int64)

    def fitting(
        self, view: PartitionView, what: str, *others: TeacherEmbeddings
    ) -> TrainingEmbeddings:
        """The pooled embeddings of a training partition, to fit ``what`` on.

        Args:
            view: view of the partition.
            what: the thing that is fitted, for the certificate.
            others: embeddings of the same utterances' other crops; they follow in the same order.

        Raises:
            LeakageError: L6, nothing may be fitted on this partition.
            TeacherError: as ``rows``.
        """
        view.record(what, view.ids)
        pooled = np.concatenate([each.pooled_of(view.ids) for each in (self, *others)])
        times = 1 + len(others)
        return TrainingEmbeddings(pooled, np.tile(view.labels, times), view.units * times)

    def pooled_of(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """``(n, L, P)``, the pooled embeddings of ``ids``, a copy, for a finished head."""
        rows = self.rows(ids)
        rows = rows if self.pooled_row is None else self.pooled_row[rows]
        found = np.asarray(self.stored_pooled)[rows]
        release(self.stored_pooled)
        return found

    def frames_of(self, id_: str) -> NDArray[np.float16]:
        """``(F, L, D)``, the frames of one utterance."""
        row = int(self.rows([id_])[0])
        start, count = int(self.frame_start[row]), int(self.frame_count[row])
        return self.frames[start : start + count]


@dataclass(frozen=True, slots=True)
class TrainingEmbeddings:
    """Pooled embeddings of a training partition's N utterances, which models may be fitted on.

    ``TeacherEmbeddings.fitting`` gives them.

    Attributes:
        pooled: ``(N, L, P)`` float32.
        labels: ``(N,)`` int64.
        units: the speaker or session of each utterance.
        weights: ``(N,)`` float64, weight of each utterance in a fit; None: 1 each.
    """

    pooled: NDArray[np.float32]
    labels: NDArray[np.int64]
    units: tuple[str, ...]
    weights: NDArray[np.float64] | None = None

    def only(self, rows: NDArray[np.bool_]) -> TrainingEmbeddings:
        """The utterances for which ``rows (N,)`` is True."""
        units = tuple(unit for unit, chosen in zip(self.units, rows, strict=True) if chosen)
        weights = None if self.weights is None else self.weights[rows]
        return TrainingEmbeddings(self.pooled[rows], self.labels[rows], units, weights)

    def mixed(self, layer_weights: NDArray[np.float32]) -> TrainingEmbeddings:
        """These embeddings with one layer, the weighted sum of all: ``pooled (N, 1, P)``."""
        pooled = np.einsum("l,nlp->np", layer_weights, self.pooled).astype(np.float32)
        return replace(self, pooled=pooled[:, None])


def teacher_frames(embeddings: TeacherEmbeddings) -> Frames:
    """A teacher's frames, to cut windows from; each row has all layers end to end."""
    return Frames(
        ids=embeddings.ids,
        values=embeddings.frames.reshape(len(embeddings.frames), -1),
        start=embeddings.frame_start,
        count=embeddings.frame_count,
        rate_hz=embeddings.frame_rate_hz,
        digest=embeddings.digest,
    )
