"""What the guard costs a run on a corpus of EmoDB's size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from serbench.data.corpus.table import CorpusTable
from serbench.learning.segments import Cutting, segment_partition
from serbench.protocol.guard.certify import Evidence, certify
from serbench.protocol.guard.seal import Seal
from serbench.protocol.guard.view import PartitionView
from serbench.protocol.splits.inner import inner_splits
from serbench.protocol.splits.outer import outer_splits
from serbench.protocol.splits.records import Split


@pytest.fixture(scope="module")
def outer(table: CorpusTable) -> tuple[Split, ...]:
    return outer_splits(table, "pairs", 5)


@pytest.fixture(scope="module")
def inner(table: CorpusTable, outer: tuple[Split, ...]) -> list[tuple[Split, ...]]:
    return [inner_splits(table, outer, index, "units") for index in range(len(outer))]


def test_making_folds(benchmark: BenchmarkFixture, table: CorpusTable) -> None:
    outer = benchmark(outer_splits, table, "pairs", 5)
    assert len(outer) == 5


def test_certificate_of_folds(
    benchmark: BenchmarkFixture,
    table: CorpusTable,
    outer: tuple[Split, ...],
    inner: list[tuple[Split, ...]],
) -> None:
    """Before a run: L1, L2, L4 and L9 over five outer and twenty inner folds."""
    certificate = benchmark(certify, table, outer, inner)
    assert len(certificate.folds) == 25


def test_certificate_of_a_run(
    benchmark: BenchmarkFixture,
    table: CorpusTable,
    outer: tuple[Split, ...],
    inner: list[tuple[Split, ...]],
    tmp_path: Path,
) -> None:
    """After a run: all of it, with the windows, the fits' records and the seal of one method."""
    segments = [(s.test, segment_partition(table, s.test, Cutting(3.0, 0.5))) for s in outer]
    seal = Seal(tmp_path / "seal")
    records = []
    for number, split in enumerate(outer, start=1):
        view = PartitionView(split.train, table)
        records.append(view.record("student", view.ids))
        seal.open("akd", number, 0, "digest", table, split.test)
    evidence = Evidence(segments=segments, fitted=records, openings=seal.openings(), near=())
    certificate = benchmark(certify, table, outer, inner, evidence)
    outcomes = {check.code: check.outcome for check in certificate.checks}
    assert all(outcomes[code] == "passed" for code in ("L1", "L2", "L3", "L4", "L5", "L6", "L8"))


def test_opening_the_seal(
    benchmark: BenchmarkFixture, table: CorpusTable, outer: tuple[Split, ...], tmp_path: Path
) -> None:
    """One outer test side, the ledger written to the disk first."""
    number = iter(range(10_000))
    fresh: Callable[[], tuple[tuple[object, ...], dict[str, object]]] = lambda: (  # noqa: E731
        (f"method-{next(number)}", 1, 0, "digest", table, outer[0].test), {},
    )  # fmt: skip
    labels = benchmark.pedantic(Seal(tmp_path / "seal").open, setup=fresh, rounds=20)
    assert len(labels) == len(outer[0].test.ids)
