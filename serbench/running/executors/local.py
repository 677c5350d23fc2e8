"""Computes fits and calls in this process or in several, and reports their epochs here."""

from __future__ import annotations

import dataclasses
import itertools
import json
import logging
import os
import signal
import tempfile
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

import joblib
import torch
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from serbench.api import EpochEvent, SerbenchError
from serbench.files.machine import memory_bytes, peak_bytes
from serbench.learning.blocks import Block, let_go
from serbench.learning.fit.loop import OnEpoch
from serbench.running.executors.executor import Executor, R, T
from serbench.running.executors.threads import ready_for
from serbench.running.parent import begin_worker, starting_workers

_LOG = logging.getLogger(__name__)

POLL_S = 0.2

UNKNOWN_BYTES = 8_000_000_000
"""Memory in bytes that is assumed for a machine that does not report how much it has."""

FIT_BYTES = 4 << 30
"""Bytes of a GPU's memory for one fit of a student, including the process's own use of CUDA. This
is cautious: the largest student without a pretrained encoder has some million parameters.
"""

ENCODER_FIT_BYTES = 24 << 30
"""Bytes of a GPU's memory for one fit of a student that trains a pretrained encoder."""


def resolve_device(name: str) -> str:
    """The best device here for ``auto``; any other device is checked.

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


def resolve_workers(
    jobs: int | None, device: str, threads: int = 1, fit_bytes: int | None = None
) -> int:
    """Number of items to compute at the same time: as many as there are cores for.

    On a GPU, no more than fit into nine tenths of its free memory. It is one item if it is not
    known how much memory each needs, and on other accelerators.

    Args:
        jobs: the number that the user asked for; None: the number above.
        device: result of ``resolve_device``.
        threads: number of threads of each item.
        fit_bytes: bytes of a GPU's memory that each item needs; None: unknown.

    Raises:
        SerbenchError: ``jobs`` is less than one.
    """
    if jobs is not None:
        if jobs < 1:
            raise SerbenchError(f"--jobs {jobs}: must be at least 1")
        return jobs
    cores = max(1, joblib.cpu_count() // threads)
    if device == "cpu":
        return cores
    if fit_bytes is None or torch.device(device).type != "cuda":
        return 1
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, min(cores, free * 9 // 10 // fit_bytes))


class LocalExecutor(Executor):
    """Worker processes on this machine, through joblib. With one worker, this process
    does the work.
    """

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers

    def device(self, name: str) -> str:
        """See ``resolve_device``."""
        return resolve_device(name)

    def train(
        self, function: Callable[[T, OnEpoch], R], tasks: Iterator[T], on_epoch: OnEpoch
    ) -> Iterator[R]:
        """See ``Executor``. A single task is computed in this process."""
        side_by_side = self.workers > 1
        while ready := [*itertools.islice(tasks, 2 if side_by_side else 1)]:
            if len(ready) == 1:
                with ready_for(ready[0]):
                    result = function(ready[0], on_epoch)
                yield result
                continue
            with event_channel(on_epoch) as channel:
                arguments = ((function, task, channel) for task in itertools.chain(ready, tasks))
                yield from _in_processes(train_in_worker, arguments, self.workers)

    def each_call(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[int, R]]:
        """See ``Executor``. Items are computed in this process if there is one worker, or for a
        single item that is not a block.
        """
        left, count = iter(items), itertools.count()
        while ready := [*itertools.islice(left, 2 if self.workers > 1 else 1)]:
            alone = len(ready) == 1 and not isinstance(ready[0], Block)
            if alone or self.workers == 1:
                yield _call(next(count), function, ready[0])
                continue
            calls = (
                (position, function, item)
                for item, position in zip(itertools.chain(ready, left), count, strict=False)
            )
            yield from _in_processes(_call, calls, self.workers)

    def in_order(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """See ``Executor``. As many workers are used as fit into half of the memory; the first item
        shows how much memory each needs.
        """
        left = iter(items)
        first = ((function, item) for item in itertools.islice(left, 1))
        workers = self.workers
        for result, needed in _in_processes(_with_peak, first, workers):
            workers = max(1, min(workers, _half_memory() // needed))
            yield result
        if workers < self.workers:
            _LOG.warning("there is memory for a model in %d of %d workers", workers, self.workers)
            self.shut_down()
        try:
            yield from Executor.in_order(LocalExecutor(workers), function, left)
        finally:
            let_go()

    def reads(self, path: Path) -> bool:  # noqa: ARG002 - it is this machine
        """See ``Executor``."""
        return True

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
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()  # memory that a teacher's pass left in this process
    parallel = joblib.Parallel(
        n_jobs=workers,
        return_as="generator_unordered",
        backend="loky",
        mmap_mode="c",  # large arrays stay shared, and torch does not warn that they are read-only
        initializer=begin_worker,
        initargs=(os.getpid(), _half_memory() // workers),
    )
    finished, results = False, None
    try:
        with starting_workers():
            results = parallel(joblib.delayed(function)(*each) for each in arguments)
        for result in results:
            yield cast("R", result)
        finished = True
    except TerminatedWorkerError:
        raise SerbenchError(
            "a worker process was killed, most often because memory ran out; run the same "
            "command again to continue, with fewer --jobs"
        ) from None
    finally:
        if not finished:
            if isinstance(results, Generator):
                with warnings.catch_warnings(action="ignore"):  # about results that are not taken
                    results.close()
            _kill_workers()


def _kill_workers() -> None:
    """End the worker processes at once, and wait until they are gone."""
    executor = get_reusable_executor(reuse=True)  # pyright: ignore[reportArgumentType]
    if hasattr(signal, "SIGKILL"):  # loky first looks for their children, which takes time
        for worker in [*executor._processes]:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
    executor.shutdown(kill_workers=True)


def _half_memory() -> int:
    return (memory_bytes() or UNKNOWN_BYTES) // 2


def _with_peak(function: Callable[[T], R], item: T) -> tuple[R, int]:
    """``function`` of an item, and the largest memory that this process has had, in bytes."""
    return _call(0, function, item)[1], peak_bytes() or 1


def _call(position: int, function: Callable[[T], R], item: T) -> tuple[int, R]:
    with ready_for(item):
        return position, function(item)


def train_in_worker(train: Callable[[T, OnEpoch], R], task: T, channel: Path) -> R:
    """Compute one fit, and send its epochs through ``channel``; see ``event_channel``."""
    descriptor = os.open(channel, os.O_WRONLY | os.O_APPEND)

    def tell(event: EpochEvent) -> None:
        # One small write per line: appends of this size do not interleave.
        os.write(descriptor, (json.dumps(dataclasses.asdict(event)) + "\n").encode())

    try:
        with ready_for(task):
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
        except Exception as error:  # the other events are still delivered
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
