"""Passes of teachers and front ends on workers leave the files that one process leaves."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import torch
from tests_support.speech import embed, pass_over
from tests_support.tables import noise_table

from serbench.api import SerbenchError
from serbench.data.corpus.table import CorpusTable
from serbench.learning import blocks
from serbench.learning.teach import embed as embed_module
from serbench.running.executors import local
from serbench.running.executors.executor import AHEAD, Executor
from serbench.running.executors.local import LocalExecutor
from serbench.running.executors.spread import spread_over


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> CorpusTable:
    return noise_table(tmp_path_factory.mktemp("spread") / "noise", speakers=2, utterances=4)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed_module, "BLOCK_RECORDINGS", 3)
    monkeypatch.setattr(blocks, "BLOCK_RECORDINGS", 3)


@pytest.fixture(scope="module")
def wanted(table: CorpusTable, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Of one process that has several threads."""
    torch.set_num_threads(2)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(embed_module, "BLOCK_RECORDINGS", 3)
            return pass_over(table, tmp_path_factory.mktemp("one"))
    finally:
        torch.set_num_threads(1)


@pytest.fixture(scope="module")
def two() -> Iterator[LocalExecutor]:
    executor = LocalExecutor(2)
    yield executor
    executor.shut_down()


def test_two_processes_write_the_same_files(
    table: CorpusTable, wanted: dict[str, bytes], two: LocalExecutor, tmp_path: Path
) -> None:
    told: list[str] = []
    assert pass_over(table, tmp_path, spread_over(two, "cpu", told.append)) == wanted
    assert len(wanted) == 8
    assert told == []
    assert two.calls(_loaded_here, [0, 0]) == [0, 0]


def _loaded_here(_: int) -> int:
    return len(blocks._kept)


def test_one_worker_or_an_accelerator_is_this_process(table: CorpusTable) -> None:
    for executor, device in ((LocalExecutor(1), "cpu"), (LocalExecutor(2), "cuda")):
        assert spread_over(executor, device, print)(table.utterances[0]) is None


def test_copies_of_a_model_that_memory_has_no_room_for_are_not_made(
    table: CorpusTable, two: LocalExecutor, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(local, "_half_memory", lambda: 2_000_000)
    made = embed(table, tmp_path / "two", spread_over(two, "cpu", print))
    assert made.digest == embed(table, tmp_path / "one").digest
    assert "there is memory for a model in 1 of 2 workers" in caplog.text
    assert blocks._kept == {}


def test_a_killed_worker_is_one_message_and_the_same_command_continues(
    table: CorpusTable, two: LocalExecutor, tmp_path: Path
) -> None:
    mark, told = tmp_path / "mark", list[int]()
    due = embed(table, tmp_path / "straight")
    with pytest.raises(SerbenchError, match=r"worker process was killed.*same command again"):
        embed(table, tmp_path / "cache", spread_over(two, "cpu", print), mark)
    made = embed(table, tmp_path / "cache", mark=mark, advance=lambda done, _: told.append(done))
    assert mark.read_text() == "killed"
    assert told[0] > 0
    assert made.digest == due.digest


def test_a_stopped_pass_continues_and_leaves_no_process(
    table: CorpusTable, two: LocalExecutor, tmp_path: Path
) -> None:
    pids = set(two.calls(_pid, [0] * 8))

    def stop(done: int, _: int) -> None:
        if done > 5:
            raise KeyboardInterrupt

    due = embed(table, tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        embed(table, tmp_path / "cache", spread_over(two, "cpu", print), None, stop)
    assert not any(map(_lives, pids))
    told: list[int] = []
    made = embed(table, tmp_path / "cache", advance=lambda done, _: told.append(done))
    assert told[0] > 5
    assert made.digest == due.digest


def _pid(_: int) -> int:
    return os.getpid()


def _lives(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


class Backwards(LocalExecutor):
    """Ends items in the reverse of their order, as many as it is given."""

    most = 0

    def each_call(self, function, items: Iterable[int]) -> Iterator[tuple[int, int]]:
        first, left = 0, iter(items)
        while given := [*left]:
            self.most = max(self.most, len(given))
            for place, item in reversed([*enumerate(given, first)]):
                yield place, function(item)
            first += len(given)


def test_results_come_in_order_and_few_wait() -> None:
    executor = Backwards(3)
    assert [*Executor.in_order(executor, abs, range(100))] == [*range(100)]
    assert executor.most == 3 * AHEAD


def test_all_items_of_a_window_are_done(two: LocalExecutor) -> None:
    for count in (0, 1, 2 * AHEAD + 1):
        assert [*two.in_order(abs, range(-count, 0))] == [*range(count, 0, -1)]
