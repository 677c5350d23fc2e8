"""Cutting a corpus of EmoDB's size into windows, before a run and at its end."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from serbench.data.corpus.table import CorpusTable
from serbench.learning.segments import Cutting, segment_partition, sliding_windows
from serbench.protocol.splits.outer import outer_splits


@pytest.mark.parametrize(("window_s", "overlap_s"), [(3.0, 0.5), (1.0, 0.5)])
def test_windows_of_a_training_side(
    benchmark: BenchmarkFixture, table: CorpusTable, window_s: float, overlap_s: float
) -> None:
    """About 430 utterances of 1.5 to 5 s."""
    train = outer_splits(table, "pairs", 5)[0].train
    segments = benchmark(segment_partition, table, train, Cutting(window_s, overlap_s))
    assert len(segments) >= len(train.ids)


def test_windows_of_an_hour(benchmark: BenchmarkFixture) -> None:
    windows = benchmark(sliding_windows, 3600.0, 3.0, 0.5)
    assert windows[-1] == (3597.0, 3600.0)
