"""Fits and calls in this process or in several, with their epochs reported here."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import joblib
import torch
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from serbench.api import EpochEvent, SerbenchError
from serbench.files.machine import memory_bytes
from serbench.learning.fit.loop import OnEpoch
from serbench.running.executors.executor import Executor, R, T
from serbench.running.executors.threads import limited_threads, threads_of
from serbench.running.parent import begin_worker, starting_workers

POLL_S = 0.2

UNKNOWN_BYTES = 8_000_000_000
"""Memory of a machine that does not say how much it has."""


def resolve_device(name: str) -> str:
    """The best device here for ``auto``; any other is checked.

    Raises:
        SerbenchError: torch has no such device on this machine.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise SerbenchError(
            f"--device {name}: not usable here ({reason}); try --device auto"
        ) from None
    return name


def resolve_workers(jobs: int | None, device: str, threads: int = 1) -> int:
    """Number of fits to run in parallel: as many as there are cores for, or one on an accelerator.

    Raises:
        SerbenchError: fewer than one.
    """
    if jobs is not None:
        if jobs < 1:
            raise SerbenchError(f"--jobs {jobs}: must be at least 1")
        return jobs
    return 1 if device != "cpu" else max(1, joblib.cpu_count() // threads)


class LocalExecutor(Executor):
    """Worker processes on this machine, through joblib; none where there is one worker."""

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers

    def device(self, name: str) -> str:
        """As ``resolve_device``."""
        return resolve_device(name)

    def train(
        self, function: Callable[[T, OnEpoch], R], tasks: Iterator[T], on_epoch: OnEpoch
    ) -> Iterator[R]:
        """A task that is alone stays in this process."""
        side_by_side = self.workers > 1
        while ready := [*itertools.islice(tasks, 2 if side_by_side else 1)]:
            if len(ready) == 1:
                with limited_threads(threads_of(ready[0])):
                    result = function(ready[0], on_epoch)
                yield result
                continue
            with event_channel(on_epoch) as channel:
                arguments = ((function, task, channel) for task in itertools.chain(ready, tasks))
                yield from _in_processes(train_in_worker, arguments, self.workers)

    def each_call(self, function: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[int, R]]:
        """In this process where there is one worker or one item."""
        if self.workers == 1 or len(items) <= 1:
            for position, item in enumerate(items):
                yield _call(position, function, item)
            return
        calls = [(position, function, item) for position, item in enumerate(items)]
        yield from _in_processes(_call, calls, self.workers)

    def shut_down(self) -> None:
        """End the worker processes."""
        get_reusable_executor(reuse=True).shutdown(wait=True)  # pyright: ignore[reportArgumentType]


def _in_processes(
    function: Callable[..., R], arguments: Iterable[tuple[object, ...]], workers: int
) -> Iterator[R]:
    """Results as they finish; any error, including Ctrl-C, ends the workers.

    Raises:
        SerbenchError: a worker was killed.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    parallel = joblib.Parallel(
        n_jobs=workers,
        return_as="generator_unordered",
        backend="loky",
        mmap_mode="c",  # large arrays stay shared, and torch does not warn that they are read-only
        initializer=begin_worker,
        initargs=(os.getpid(), (memory_bytes() or UNKNOWN_BYTES) // (2 * workers)),
    )
    finished = False
    try:
        with starting_workers():
            results = parallel(joblib.delayed(function)(*each) for each in arguments)
        yield from results  # pyright: ignore[reportReturnType]
        finished = True
    except TerminatedWorkerError:
        raise SerbenchError(
            "a worker process was killed, most often because memory ran out; run the same "
            "command again to continue, with fewer --jobs"
        ) from None
    finally:
        if not finished:
            _kill_workers()


def _kill_workers() -> None:
    """End the worker processes at once."""
    executor = get_reusable_executor(reuse=True)  # pyright: ignore[reportArgumentType]
    if hasattr(signal, "SIGKILL"):  # loky looks for their children before, which takes its time
        for worker in [*executor._processes]:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
    executor.shutdown(wait=False, kill_workers=True)


def _call(position: int, function: Callable[[T], R], item: T) -> tuple[int, R]:
    with limited_threads(threads_of(item)):
        return position, function(item)


def train_in_worker(train: Callable[[T, OnEpoch], R], task: T, channel: Path) -> R:
    """One fit, which sends its epochs through ``channel``; see ``event_channel``."""
    descriptor = os.open(channel, os.O_WRONLY | os.O_APPEND)

    def tell(event: EpochEvent) -> None:
        # One small write per line: appends of this size do not interleave.
        os.write(descriptor, (json.dumps(dataclasses.asdict(event)) + "\n").encode())

    try:
        with limited_threads(threads_of(task)):
            return train(task, tell)
    finally:
        os.close(descriptor)


@contextmanager
def event_channel(on_epoch: OnEpoch) -> Iterator[Path]:
    """A file that workers append events to, and a thread that reads them here.

    Raises:
        Exception: the first that ``on_epoch`` raised, after all events were delivered.
    """
    handle, name = tempfile.mkstemp(prefix="serbench-epochs-", suffix=".jsonl")
    os.close(handle)
    path = Path(name)
    stop = threading.Event()
    failures: list[Exception] = []

    def tell(line: str) -> None:
        try:
            on_epoch(EpochEvent(**json.loads(line)))
        except Exception as error:  # the others are told of all the same
            failures.append(error)

    def read() -> None:
        begun = ""
        with path.open() as stream:
            while True:
                last = stop.wait(POLL_S)
                *lines, begun = (begun + stream.read()).split("\n")
                for line in lines:
                    tell(line)
                if last:
                    return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield path
    finally:
        stop.set()
        reader.join()
        path.unlink(missing_ok=True)
    if failures:
        raise failures[0]
