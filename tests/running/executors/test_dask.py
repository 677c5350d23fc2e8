"""A real scheduler and two worker processes, started once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests_support.fits import check_same_bits, kill_first_time, noise_fits, report_slowly
from tests_support.runs import EPOCHS
from tests_support.speech import embed, pass_over
from tests_support.tables import noise_table

from serbench.api import EpochEvent, SerbenchError
from serbench.learning import blocks
from serbench.learning.fit.task import FitTask
from serbench.learning.teach import embed as embed_module
from serbench.running.executors.executor import Executor
from serbench.running.executors.local import LocalExecutor
from serbench.running.executors.spread import spread_over

distributed = pytest.importorskip("distributed", reason="dask[distributed] is not installed")

from serbench.running.executors import remote  # noqa: E402 - needs no Dask, but belongs here
from serbench.running.executors.dask import DaskExecutor  # noqa: E402


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as started:
        yield started


@pytest.fixture
def executor(cluster: Any, tmp_path: Path) -> Iterator[Executor]:
    made = DaskExecutor(cluster.scheduler_address, tmp_path / "cache")
    yield made
    made.shut_down()


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> list[FitTask]:
    return noise_fits(tmp_path_factory.mktemp("dask"))


@pytest.mark.parametrize("shared", [True, False])
def test_a_cluster_gives_what_this_process_gives_bit_by_bit(
    executor: Executor, tasks: list[FitTask], shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shared:
        monkeypatch.setattr(DaskExecutor, "_shares", lambda _: False)
    heard: dict[str, list[int]] = {}

    def hear(event: EpochEvent) -> None:
        heard.setdefault(event.fit, []).append(event.epoch)

    assert executor.workers == 2
    there = list(executor.fits(tasks, hear))
    check_same_bits(LocalExecutor().fits(tasks, lambda _: None), there)
    assert heard == {f"fit-{n}": list(range(1, EPOCHS + 1)) for n in range(3)}


def test_calls_keep_their_order(executor: Executor) -> None:
    assert executor.calls(abs, [-3, 2, -1]) == [3, 2, 1]
    large = np.arange(50_000.0)
    assert executor.calls(np.sum, [large, large]) == [large.sum()] * 2
    assert executor.device("auto") == LocalExecutor().device("auto")


def test_the_item_of_a_killed_worker_is_done_again(executor: Executor, tmp_path: Path) -> None:
    marks = [tmp_path / "a", tmp_path / "b", tmp_path / "c"]
    marks[1].touch()
    marks[2].touch()
    assert len(executor.calls(kill_first_time, marks)) == 3
    assert marks[0].read_text() == "killed"


def test_a_cluster_writes_the_files_of_one_process(
    executor: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_RECORDINGS", 3)
    monkeypatch.setattr(embed_module, "BLOCK_RECORDINGS", 3)
    table, told = noise_table(tmp_path / "noise", speakers=2, utterances=4), list[str]()
    due = pass_over(table, tmp_path / "one")
    assert pass_over(table, tmp_path / "two", spread_over(executor, "cpu", told.append)) == due
    # A worker that is lost in the middle
    mark = tmp_path / "mark"
    lost = embed(table, tmp_path / "three", spread_over(executor, "cpu", told.append), mark)
    assert mark.read_text() == "killed"
    assert lost.digest == embed(table, tmp_path / "one").digest
    assert told == []


def test_without_the_recordings_on_a_worker_this_process_computes(
    cluster: Any, executor: Executor, tmp_path: Path
) -> None:
    table, told = noise_table(tmp_path / "noise", speakers=2, utterances=1), list[str]()
    due = pass_over(table, tmp_path / "one")
    with closing(distributed.Client(cluster, set_as_default=False)) as client:
        one = [next(iter(client.scheduler_info()["workers"]))]
        client.run(_close_the_eyes, closed=True, workers=one)
        try:
            made = pass_over(table, tmp_path / "two", spread_over(executor, "cpu", told.append))
        finally:
            client.run(_close_the_eyes, closed=False, workers=one)
    assert made == due
    assert len(told) == 3
    assert f"the workers cannot read {table.utterances[0].path}" in told[0]
    assert executor.reads(table.utterances[0].path)


def _close_the_eyes(closed: bool, before: list[Any] = [remote.can_read]) -> None:  # noqa: B006
    remote.can_read = (lambda *_: False) if closed else before[0]


def test_a_cancelled_call_leaves_nothing_running(executor: Executor, tmp_path: Path) -> None:
    begun = threading.Event()
    results = executor.train(report_slowly, [tmp_path / "epoch"], lambda _: begun.set())

    def wait() -> None:
        with suppress(Exception, distributed.client.FutureCancelledError):
            next(results)

    thread = threading.Thread(target=wait, daemon=True)
    with closing(distributed.Client(executor.address, set_as_default=False)) as client:  # type: ignore[attr-defined]
        thread.start()
        assert begun.wait(60)
        executor.shut_down()  # as a command that is stopped
        until = time.monotonic() + 20.0
        while any(client.processing().values()) and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(0.5)
        last = (tmp_path / "epoch").read_text()
        time.sleep(0.5)
        assert (tmp_path / "epoch").read_text() == last
        assert int(last) < 600


def test_workers_with_other_code_are_refused(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_versions", lambda: {"torch": "0.1"})
    with pytest.raises(SerbenchError, match=r"torch \d.* there, 0\.1 here.*same versions"):
        executor.calls(abs, [1])


def test_an_error_of_an_item_is_the_callers(executor: Executor) -> None:
    with pytest.raises(ValueError, match="math domain error"):
        executor.calls(_root, [1.0, -1.0])


def _root(value: float) -> float:
    if value < 0.0:
        raise ValueError("math domain error")
    return value**0.5


def test_no_scheduler_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serbench.running.executors.dask.CONNECT_S", 1)
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        with pytest.raises(SerbenchError, match=r"no Dask scheduler answers.*dask scheduler"):
            DaskExecutor(address, tmp_path)


def test_workers_with_threads_are_refused(tmp_path: Path) -> None:
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as cluster,
        pytest.raises(SerbenchError, match=r"several threads.*--nthreads 1"),
    ):
        DaskExecutor(cluster.scheduler_address, tmp_path)
