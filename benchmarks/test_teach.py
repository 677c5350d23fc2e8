"""A teacher's head: cross-fitted soft targets of one outer training side."""

from __future__ import annotations

from pytest_benchmark.fixture import BenchmarkFixture

from serbench.data.corpus.table import CorpusTable
from serbench.learning.teach.crossfit import cross_fit
from serbench.learning.teach.embeddings import TeacherEmbeddings
from serbench.protocol.guard.view import PartitionView
from serbench.protocol.splits.outer import outer_splits
from serbench.settings import HeadSettings


def test_cross_fit(
    benchmark: BenchmarkFixture, table: CorpusTable, embeddings: TeacherEmbeddings
) -> None:
    """About 430 utterances, 1024 dimensions, seven classes, five groups, all strengths."""
    train = outer_splits(table, "pairs", 5)[0].train
    view = PartitionView(train, table)
    settings = HeadSettings()
    targets = benchmark.pedantic(
        cross_fit,
        args=(embeddings.fitting(view, "head"), settings, len(table.labels)),
        rounds=3,
        warmup_rounds=1,
    )
    assert targets.logits.shape == (len(train.ids), 7)
