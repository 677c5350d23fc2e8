"""Labels of partitions as fits receive them: true labels, or a canary's permuted labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from serbench.data.corpus.table import CorpusTable
from serbench.protocol.guard.view import PartitionView
from serbench.protocol.splits.records import Partition, Split
from serbench.running.plan.records import stable_seed


class Views:
    """Makes a run's views.

    Args:
        table: the corpus.
        outer: all outer folds.
        permutation: None: true labels. A number: that permutation of the labels within each outer
            training side; its inner folds use the same permuted labels. Test labels stay true.
    """

    def __init__(
        self, table: CorpusTable, outer: Sequence[Split], permutation: int | None = None
    ) -> None:
        self.table = table
        self._permuted: dict[int, Mapping[str, int]] = {}
        self._made: dict[tuple[int, Partition], PartitionView] = {}
        if permutation is None:
            return
        for index, split in enumerate(outer):
            random = np.random.default_rng(stable_seed("canary", permutation, split.name))
            labels = [int(table.label_index[row]) for row in _rows(table, split.train)]
            shuffled = random.permutation(labels).tolist()
            self._permuted[index] = dict(zip(split.train.ids, shuffled, strict=True))

    def make(self, outer: int, partition: Partition) -> PartitionView:
        """A view of a partition inside the outer training side number ``outer``, from 0.

        Raises:
            LeakageError: L8, an outer test side.
        """
        if (outer, partition) not in self._made:
            view = PartitionView(partition, self.table, self._permuted.get(outer))
            self._made[outer, partition] = view
        return self._made[outer, partition].again()


def _rows(table: CorpusTable, partition: Partition) -> list[int]:
    place = {utterance: row for row, utterance in enumerate(table.ids)}
    return [place[utterance] for utterance in partition.ids]
