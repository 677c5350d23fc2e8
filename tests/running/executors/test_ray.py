"""A Ray cluster on this machine, started once."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
import pytest
import tests_support
import torch
from tests_support.fits import check_same_bits, kill_first_time, noise_fits, report_slowly
from tests_support.runs import EPOCHS
from tests_support.speech import pass_over
from tests_support.tables import noise_table

from serbench.api import EpochEvent, SerbenchError
from serbench.running.executors.executor import Executor
from serbench.running.executors.local import LocalExecutor

pytest.importorskip("ray", reason="ray is not installed")

from serbench.running.executors import ray as engine
from serbench.running.executors.ray import RayExecutor
from serbench.running.executors.spread import spread_over

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of Ray's own start


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executor]:
    with pytest.MonkeyPatch.context() as patch:
        # Workers find what the tests use.
        patch.setenv("PYTHONPATH", str(Path(tests_support.__file__).parents[1]))
        patch.setenv("RAY_worker_niceness", "0")  # else workers wait for whatever else runs here
        made = RayExecutor("", 2, tmp_path_factory.mktemp("ray") / "cache")
        yield made
        made.shut_down()


@pytest.mark.parametrize("shared", [True, False])
def test_ray_gives_what_this_process_gives_bit_by_bit(
    executor: Executor, tmp_path: Path, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shared:
        monkeypatch.setattr(RayExecutor, "_shares", lambda _: False)
        monkeypatch.setattr(executor, "_packer", None)
    tasks, heard = noise_fits(tmp_path), dict[str, list[int]]()

    def hear(event: EpochEvent) -> None:
        heard.setdefault(event.fit, []).append(event.epoch)

    assert executor.workers == 2
    there = list(executor.fits(tasks, hear))
    check_same_bits(LocalExecutor().fits(tasks, lambda _: None), there)
    assert heard == {f"fit-{n}": list(range(1, EPOCHS + 1)) for n in range(3)}


def test_calls_keep_their_order_and_errors_are_the_callers(executor: Executor) -> None:
    assert executor.calls(abs, [-3, 2, -1]) == [3, 2, 1]
    assert executor.device("auto") == LocalExecutor().device("auto")
    with pytest.raises(ValueError, match="could not convert string"):
        executor.calls(float, ["1", "one"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_device_that_workers_lack_is_one_line(executor: Executor) -> None:
    with pytest.raises(SerbenchError, match=r"^--device cuda: not usable.*auto$"):
        executor.device("cuda")


def test_the_item_of_a_killed_worker_is_done_again(executor: Executor, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    assert len(executor.calls(kill_first_time, [mark])) == 1
    assert mark.read_text() == "killed"


def test_ray_writes_the_files_of_one_process(executor: Executor, tmp_path: Path) -> None:
    table, told = noise_table(tmp_path / "noise", speakers=2, utterances=10), list[str]()
    due = pass_over(table, tmp_path / "one")
    assert pass_over(table, tmp_path / "two", spread_over(executor, "cpu", told.append)) == due
    assert told == []


def test_a_cancelled_call_leaves_nothing_running(executor: Executor, tmp_path: Path) -> None:
    done, slow = tmp_path / "done", tmp_path / "slow"
    done.touch()
    results = executor.train(report_slowly, iter([done, slow]), lambda _: None)
    next(results)
    until = time.monotonic() + 60.0
    while not slow.exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert isinstance(results, Generator)
    results.close()  # as a command that is stopped
    time.sleep(0.5)
    last = slow.read_text()
    time.sleep(0.5)
    assert slow.read_text() == last
    assert int(last) < 600


def test_what_is_gone_is_one_line(executor: Executor) -> None:
    assert executor.workers == 2
    gone = engine.ray.remote(num_cpus=0)(engine.Mailbox).remote()
    engine.ray.kill(gone)
    with pytest.raises(SerbenchError, match=r"no longer answers \(Actor\w+Error\); run the same"):
        engine._result(gone.take.remote())


def test_it_connects_again_after_it_was_shut_down(executor: Executor) -> None:
    executor.shut_down()
    assert executor.calls(np.sum, [np.ones(50_000)]) == [50_000.0]


def test_no_cluster_is_one_line(executor: Executor, tmp_path: Path) -> None:
    executor.shut_down()
    for address in ("127.0.0.1:9", "nonsense"):
        with pytest.raises(SerbenchError, match=r"no Ray cluster answers.*ray start --head"):
            RayExecutor(address, None, tmp_path)
