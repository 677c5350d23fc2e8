"""A teacher's head: cross-fitted soft targets of one outer training side."""

from __future__ import annotations

from pytest_benchmark.fixture import BenchmarkFixture

from serbench.corpus import CorpusTable
from serbench.leakage import PartitionView
from serbench.settings import HeadSettings
from serbench.splits import outer_splits
from serbench.teach import TeacherEmbeddings, cross_fit


def test_cross_fit(
    benchmark: BenchmarkFixture, table: CorpusTable, embeddings: TeacherEmbeddings
) -> None:
    """About 430 utterances, 1024 dimensions, seven classes, five groups, all strengths."""
    train = outer_splits(table, "pairs", 5)[0].train
    view = PartitionView(train, table)
    settings = HeadSettings()
    targets = benchmark.pedantic(
        cross_fit,
        args=(embeddings, view, view.labels, view.units, settings, len(table.labels)),
        rounds=3,
        warmup_rounds=1,
    )
    assert targets.logits.shape == (len(train.ids), 7)
