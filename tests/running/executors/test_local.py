from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
import torch
from tests_support.fits import run_out
from tests_support.pretraining import hinted, pretrained_plan, write_both
from tests_support.runs import EPOCHS, fit_task, frames_of
from tests_support.tables import noise_table
from threadpoolctl import threadpool_info

from serbench.api import EpochEvent, SerbenchError
from serbench.errors import OutOfTimeError
from serbench.learning.fit.loop import fit
from serbench.learning.fit.task import FitTask
from serbench.protocol.splits.outer import outer_splits
from serbench.running.executors.local import (
    ENCODER_FIT_BYTES,
    FIT_BYTES,
    LocalExecutor,
    event_channel,
    resolve_device,
    resolve_workers,
    train_in_worker,
)
from serbench.running.harness.inputs import load_audio, load_dataset, load_inputs
from serbench.running.harness.observer import Observer
from serbench.running.harness.pretrained import pretraining_of
from serbench.running.parent import starting_workers


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> list[FitTask]:
    table = noise_table(tmp_path_factory.mktemp("execute") / "noise", speakers=3, utterances=2)
    frames = frames_of(table, table.folder.parent / "features")
    made = [fit_task(table, split, frames) for split in outer_splits(table, "loso", 5)]
    for number, task in enumerate(made):
        object.__setattr__(task, "name", f"fit-{number}")
    return made


@pytest.fixture(scope="module", autouse=True)
def _two_workers() -> Iterator[None]:
    """Two workers serve all tests: to start them takes seconds."""
    yield
    LocalExecutor(2).shut_down()


def test_devices_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_device("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == "cpu"
    for unknown in ("tpu", "cuda:99", "meta"):
        with pytest.raises(SerbenchError, match=f"--device {unknown}: not usable.*--device auto"):
            resolve_device(unknown)


def test_one_worker_per_core_or_one_for_an_accelerator() -> None:
    assert resolve_workers(None, "cpu") == len(os.sched_getaffinity(0))
    assert resolve_workers(None, "cuda") == 1
    assert resolve_workers(3, "cuda") == 3


@pytest.mark.parametrize(
    ("free_gib", "fit_bytes", "workers"),
    [
        (139, FIT_BYTES, 16),
        (16, FIT_BYTES, 3),
        (3, FIT_BYTES, 1),
        (139, ENCODER_FIT_BYTES, 5),
        (139, None, 1),
    ],
)
def test_a_gpu_has_as_many_workers_as_fit_in_its_free_memory(
    free_gib: int, fit_bytes: int | None, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("joblib.cpu_count", lambda: 16)
    monkeypatch.setattr(
        torch.cuda, "mem_get_info", lambda device: asked.append(device) or (free_gib << 30, 0)
    )
    assert resolve_workers(None, "cuda:1", fit_bytes=fit_bytes) == workers
    assert asked == ["cuda:1"] * (fit_bytes is not None)
    assert resolve_workers(None, "cuda:1", 8, fit_bytes) == min(workers, 2)
    assert resolve_workers(None, "mps", fit_bytes=fit_bytes) == 1
    assert resolve_workers(7, "cuda:1", fit_bytes=fit_bytes) == 7


@pytest.mark.parametrize(
    ("workers", "said"),
    [(1, "for a fit; .*training.batch_size"), (2, "for 2 fits at a time; .*fewer --jobs")],
)
def test_a_gpu_without_memory_is_one_line(
    tasks: list[FitTask], workers: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serbench.running.executors.executor.fit_student", run_out)
    with pytest.raises(SerbenchError, match=said):
        list(LocalExecutor(workers).fits(tasks, lambda _: None))


def test_another_error_of_torch_stays(
    tasks: list[FitTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("sizes differ")

    monkeypatch.setattr("serbench.running.executors.executor.fit_student", fail)
    with pytest.raises(RuntimeError, match="sizes differ"):
        list(LocalExecutor(1).fits(tasks, lambda _: None))


def test_calls_keep_their_order() -> None:
    assert LocalExecutor(1).calls(abs, [-2, -1, 0]) == [2, 1, 0]
    assert LocalExecutor(4).calls(abs, []) == []
    assert list(LocalExecutor().each_call(abs, [-2, -1])) == [(0, 2), (1, 1)]


def test_large_arrays_are_shared_and_torch_does_not_warn_of_them() -> None:
    large = [np.ones(300_000), np.ones(300_000)]
    read = attrgetter("__class__.__name__", "flags.writeable")
    assert LocalExecutor(2).calls(read, large) == [("memmap", True)] * 2


def test_two_processes_give_what_one_gives_and_tell_of_every_epoch(tasks: list[FitTask]) -> None:
    heard: dict[str, list[EpochEvent]] = {}

    def hear(event: EpochEvent) -> None:
        heard.setdefault(event.fit, []).append(event)

    here = {result.name: result for result in LocalExecutor(1).fits(tasks, hear)}
    told_here, heard = heard, {}
    there = {result.name: result for result in LocalExecutor(2).fits(tasks, hear)}
    assert LocalExecutor(2).calls(abs, [-3, 2]) == [3, 2]
    assert sorted(LocalExecutor(2).each_call(abs, [-3, 2])) == [(0, 3), (1, 2)]
    assert set(there) == {"fit-0", "fit-1", "fit-2"}
    for name, result in here.items():
        np.testing.assert_array_equal(there[name].posteriors, result.posteriors)
        assert set(there[name].fitted) == set(result.fitted)
        assert [event.epoch for event in heard[name]] == list(range(1, EPOCHS + 1))
    assert {name: len(events) for name, events in told_here.items()} == dict.fromkeys(here, EPOCHS)
    assert torch.get_num_threads() == 1


def _threads_here(_: object) -> tuple[int, list[int]]:
    return torch.get_num_threads(), [each["num_threads"] for each in threadpool_info()]


def _threads_of_fit(task: FitTask, on_epoch: object) -> tuple[str, int]:
    return task.name, torch.get_num_threads()


def test_the_settings_and_not_the_machine_say_how_many_threads_an_item_has(
    tasks: list[FitTask],
) -> None:
    training = tasks[1].settings.training.model_copy(update={"threads": 3})
    settings = tasks[1].settings.model_copy(update={"training": training})
    three = replace(tasks[1], name="three", settings=settings)
    wanted = [(tasks[0].name, 1), ("three", 3)]
    torch.set_num_threads(2)
    try:
        for jobs in (1, 2):
            executor = LocalExecutor(jobs)
            made = executor.train(_threads_of_fit, iter([tasks[0], three]), lambda _: None)
            assert sorted(made) == wanted
            for here, below in executor.calls(_threads_here, [0, 1]):
                assert (here, set(below)) == (1, {1})
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_fits_with_more_threads_are_fewer_at_once() -> None:
    cores = len(os.sched_getaffinity(0))
    assert resolve_workers(None, "cpu", threads=cores) == 1
    assert resolve_workers(None, "cpu", threads=2 * cores) == 1


def test_pretrainings_run_side_by_side_too(tmp_path: Path) -> None:
    write_both(tmp_path)
    plan = pretrained_plan(tmp_path, seeds=2)
    table = load_dataset(plan.dataset, None, tmp_path / "cache", Observer())
    audio = load_audio(plan, tmp_path / "cache", Observer())
    inputs = load_inputs(plan, table, audio, tmp_path / "cache", "cpu", Observer())
    made = [pretraining_of(hinted(), "hinted", seed, inputs, "cpu") for seed in (0, 1)]
    todo = [task for task in made if task is not None]
    told: list[EpochEvent] = []
    here = {result.key: result for result in LocalExecutor(1).pretrainings(todo, told.append)}
    there = {result.key: result for result in LocalExecutor(2).pretrainings(todo, told.append)}
    assert here.keys() == there.keys() == {task.key for task in todo}
    assert len(todo) == 2
    for key, result in here.items():
        for name, value in result.state.student.items():
            assert torch.equal(there[key].state.student[name], value), name
    assert sorted(event.fit for event in told) == sorted(2 * 2 * [task.name for task in todo])


def test_an_error_in_a_fit_is_the_callers(tasks: list[FitTask]) -> None:
    def refuse(_: EpochEvent) -> None:
        raise SerbenchError("no")

    with pytest.raises(SerbenchError, match="no"):
        list(LocalExecutor(1).fits(tasks, refuse))


HELD: list[np.ndarray] = []


def _grown(megabytes: int) -> int:
    """Keep that much memory, as the frames and weights of a fit do; the process's id."""
    HELD.append(np.ones(megabytes * 125_000))
    time.sleep(1.2)  # joblib looks at a worker's memory once a second
    return os.getpid()


def test_a_worker_that_needs_memory_is_not_taken_for_a_leaking_one() -> None:
    before, after = (set(LocalExecutor(2).calls(_grown, [size] * 2)) for size in (1, 400))
    assert len(before) == 2
    assert after == before
    assert set(LocalExecutor(2).calls(_grown, [1, 1])) == before


def killed(signal_number: int) -> None:
    os.kill(os.getpid(), signal_number)


def test_a_worker_that_is_killed_is_told_with_a_way_out() -> None:
    with pytest.raises(SerbenchError, match=r"memory ran out.*--jobs"):
        list(LocalExecutor(2).each_call(killed, [9, 9]))
    assert LocalExecutor(2).calls(abs, [-1, -1]) == [1, 1]  # the next one works


def test_a_worker_tells_through_the_channel(tasks: list[FitTask]) -> None:
    heard: list[EpochEvent] = []
    with event_channel(heard.append) as channel:
        result = train_in_worker(fit, tasks[0], channel)
    assert [event.epoch for event in heard] == list(range(1, EPOCHS + 1))
    assert [dict(event.terms) for event in heard] == [dict(r.terms) for r in result.history]
    assert not channel.exists()


def test_a_line_that_is_half_written_is_waited_for() -> None:
    heard: list[EpochEvent] = []
    threads = threading.active_count()
    line = b'{"fit": "f", "epoch": 1, "epochs": 2, "terms": {}, "validation_ua": null}\n'
    with event_channel(heard.append) as channel, channel.open("ab", buffering=0) as stream:
        stream.write(line + line[:20])
        until = time.monotonic() + 5.0
        while not heard and time.monotonic() < until:
            time.sleep(0.02)
        assert len(heard) == 1
        stream.write(line[20:])
    assert [event.fit for event in heard] == ["f", "f"]
    assert threading.active_count() == threads


def test_a_task_does_not_carry_the_frames_of_the_corpus_by_value(tasks: list[FitTask]) -> None:
    assert isinstance(tasks[0].features.values, np.memmap)
    assert Path(str(tasks[0].features.values.filename)).is_absolute()


def test_an_observer_that_fails_hears_of_the_other_epochs_and_is_told_of() -> None:
    heard: list[str] = []

    def hear(event: EpochEvent) -> None:
        heard.append(event.fit)
        if event.fit == "a":
            raise KeyError("a")

    line = '{{"fit": "{}", "epoch": 1, "epochs": 2, "terms": {{}}, "validation_ua": null}}\n'
    with pytest.raises(KeyError, match="a"), event_channel(hear) as channel:
        channel.write_text("".join(map(line.format, "abc")))
    assert heard == ["a", "b", "c"]


@pytest.mark.usefixtures("heard_signals")
def test_a_signal_while_workers_are_started_is_heard_afterwards() -> None:
    begun: list[int] = []

    def start() -> None:
        with starting_workers():
            os.kill(os.getpid(), signal.SIGINT)
            begun.append(1)

    with pytest.raises(KeyboardInterrupt):
        start()
    assert begun
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


def test_fits_end_after_the_epoch_in_which_their_time_is_over(
    tasks: list[FitTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first fit ends, the second is cut in its second epoch, the third does not begin."""
    told: list[EpochEvent] = []
    monkeypatch.setattr("time.time", lambda: 100.0 + len(told))
    executor = LocalExecutor(1)
    executor.until = 100.0 + EPOCHS + 2
    ended: list[str] = []
    with pytest.raises(OutOfTimeError):
        ended += (result.name for result in executor.fits(tasks, told.append))
    assert ended == ["fit-0"]
    assert [(event.fit, event.epoch) for event in told] == [
        *(("fit-0", epoch) for epoch in range(1, EPOCHS + 1)), ("fit-1", 1), ("fit-1", 2),
    ]  # fmt: skip


def test_two_processes_end_in_time_too(tasks: list[FitTask]) -> None:
    executor = LocalExecutor(2)
    executor.until = time.time() + 3600
    assert len(list(executor.fits(tasks, lambda _: None))) == len(tasks)
    executor.until = time.time()
    with pytest.raises(OutOfTimeError):
        list(executor.fits(tasks, lambda _: None))


class Growing:
    """Tasks of which the next one is ready when the last one is done."""

    def __init__(self, tasks: list[FitTask]) -> None:
        self.tasks = tasks
        self.done = 0
        self.given = 0

    def __iter__(self) -> Growing:
        return self

    def __next__(self) -> FitTask:
        if self.given > self.done or self.given == len(self.tasks):
            raise StopIteration
        self.given += 1
        return self.tasks[self.given - 1]


@pytest.mark.parametrize("workers", [1, 2])
def test_tasks_that_become_ready_are_asked_for_again(tasks: list[FitTask], workers: int) -> None:
    growing = Growing(tasks)
    ended = []
    for result in LocalExecutor(workers).fits(growing, lambda _: None):
        ended.append(result.name)
        growing.done += 1
    assert ended == ["fit-0", "fit-1", "fit-2"]
