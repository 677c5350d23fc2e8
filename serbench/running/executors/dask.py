"""Computes items on the workers of a Dask cluster, through ``distributed``."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import dask.config
from distributed import Client, Future, KilledWorker, as_completed, get_worker

from serbench.api import SerbenchError
from serbench.learning.fit.loop import OnEpoch
from serbench.running.executors.executor import Executor, R, T
from serbench.running.executors.local import resolve_device
from serbench.running.executors.packing import Array, Packer
from serbench.running.executors.remote import (
    Events,
    Work,
    can_read,
    describe,
    do,
    has_mark,
    leave_mark,
)

CONNECT_S = 10
EVENTS_S = 10.0
"""Seconds to wait for the last epochs of items that are done."""


class UnwantedError(Exception):
    """The command that asked for an item was stopped."""


class DaskExecutor(Executor):
    """The workers of a scheduler that runs somewhere, each a process with one thread.

    If a worker is lost, Dask has its items computed again by other workers.

    Args:
        address: address of the scheduler, such as ``tcp://HOST:8786``.
        cache: root of the cache. If all workers see the same folder, they read large arrays there.
            Otherwise each array is sent once to each worker that needs it.

    Raises:
        SerbenchError: no scheduler answers, it has no workers, or they have several threads.
    """

    def __init__(self, address: str, cache: Path) -> None:
        self.address = address
        self.cache = cache
        self._client: Client | None = None
        self._arrays: dict[str, Future] = {}
        self._packer: Packer | None = None
        self.workers = len(self._threads(self._connected()))

    def device(self, name: str) -> str:
        """The device that ``name`` means on every worker."""
        found = self._on_all(_device, name)
        if failed := sorted({text for ok, text in found.values() if not ok}):
            raise SerbenchError(f"on a Dask worker: {failed[0]}")
        devices = sorted({text for _, text in found.values()})
        if len(devices) > 1:
            raise SerbenchError(
                f"the Dask workers differ in their devices ({', '.join(devices)}): results would "
                "depend on which worker computes what; choose one device with --device"
            )
        return devices[0]

    def reads(self, path: Path) -> bool:
        """See ``Executor``."""
        return all(self._on_all(can_read, path, path.stat().st_size).values())

    def train(
        self, function: Callable[[T, OnEpoch], R], tasks: Iterator[T], on_epoch: OnEpoch
    ) -> Iterator[R]:
        """See ``Executor``. Epochs arrive through the scheduler."""
        events, topic = Events(on_epoch), f"serbench-epochs-{uuid4().hex}"
        client = self._connected()
        client.subscribe_topic(topic, lambda event: events.take(_own(event[1])))
        told = 0
        try:
            for _, (count, result) in self._results(function, tasks, topic):
                told += count
                yield result
            until = time.monotonic() + EVENTS_S
            while events.received < told and time.monotonic() < until:
                time.sleep(0.02)
        finally:
            client.unsubscribe_topic(topic)
        if events.failure is not None:
            raise events.failure

    def each_call(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[int, R]]:
        """See ``Executor``. Each worker computes one item at a time."""
        for position, (_, result) in self._results(function, iter(items), ""):
            yield position, result

    def shut_down(self) -> None:
        """Leave the cluster, which drops the arrays; its workers stay."""
        self._arrays.clear()
        self._packer = None
        if self._client is not None:
            self._client.close()
            self._client = None

    def _results(
        self, function: Callable[..., Any], items: Iterator[Any], topic: str
    ) -> Iterator[tuple[int, tuple[int, Any]]]:
        """Position of each finished item, with the number of its epochs and its result."""
        client, name, count = self._connected(), uuid4().hex, itertools.count()
        packer = self._packer = self._packer or Packer(self._send, by_path=self._shares())
        places: dict[Future, int] = {}

        def submit() -> Iterator[Future]:
            for item, position in zip(items, count, strict=False):
                work = describe(packer, function, item, trains=bool(topic))
                arrays = {each: self._arrays[each] for each in work.packed.arrays}
                future = client.submit(
                    work_here, work, arrays, topic, key=f"serbench-{name}-{position}", pure=False
                )
                places[future] = position
                yield future

        try:
            done = as_completed([*submit()], loop=client.loop)
            for future in done:
                position = places.pop(future)
                yield position, self._result(future)
                future.release()
                done.update([*submit()])
        finally:
            if places:
                client.cancel([*places], force=True)

    def _result(self, future: Future) -> tuple[int, Any]:
        """
        Raises:
            SerbenchError: workers died of the item, the scheduler is gone, or as the item.
        """
        try:
            return future.result()
        except KilledWorker:
            raise SerbenchError(
                "Dask workers died several times while they computed the same item, most often "
                "because memory ran out; give each worker more (--memory-limit of dask worker), "
                "and run the same command again to continue"
            ) from None
        except OSError as error:
            raise SerbenchError(
                f"the Dask scheduler at {self.address} no longer answers ({error}); run the same "
                "command again to continue"
            ) from None

    def _send(self, name: str, array: Array) -> None:
        """Hand an array to the cluster as a task, so that Dask can make a lost copy again."""
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"}):
            self._arrays[name] = self._connected().submit(
                _hold, array, key=f"serbench-array-{name}", pure=True
            )

    def _shares(self) -> bool:
        """Whether all workers see this machine's cache folder."""
        path, text = leave_mark(self.cache)
        try:
            return all(self._on_all(has_mark, path, text).values())
        finally:
            path.unlink(missing_ok=True)

    def _connected(self) -> Client:
        if self._client is None:
            try:
                self._client = Client(self.address, timeout=CONNECT_S, set_as_default=False)
            except (OSError, ValueError, TimeoutError) as error:
                raise SerbenchError(
                    f"--address {self.address}: no Dask scheduler answers there ({error}); start "
                    "one with `dask scheduler`, which prints its address"
                ) from None
        return self._client

    def _on_all(self, function: Callable[..., R], *arguments: object) -> dict[str, R]:
        """Call ``function`` with the arguments on every worker; results are by
        the worker's address.
        """
        return cast("dict[str, R]", self._connected().run(function, *arguments))

    def _threads(self, client: Client) -> dict[str, int]:
        """Threads of each worker, by its address.

        Raises:
            SerbenchError: the cluster has no worker, or one with several threads.
        """
        info = client.scheduler_info(n_workers=-1)["workers"]
        threads = {address: int(each["nthreads"]) for address, each in info.items()}
        way = f"dask worker {self.address} --nworkers N --nthreads 1"
        if not threads:
            self.shut_down()
            raise SerbenchError(f"the Dask scheduler at {self.address} has no worker yet: {way}")
        if max(threads.values()) > 1:
            self.shut_down()
            raise SerbenchError(
                "the Dask workers have several threads each; fits in one process would share a "
                f"random generator, and results would change: {way}"
            )
        return threads


def work_here(work: Work, arrays: Mapping[str, Array], topic: str) -> tuple[int, Any]:
    """Compute one item in a worker; see ``do``."""
    worker, key = get_worker(), get_worker().get_current_task()

    def tell(event: Mapping[str, Any]) -> None:
        state = worker.state.tasks.get(key)
        if state is None or state.state != "executing":  # Dask cannot stop a running thread
            raise UnwantedError(key)
        worker.log_event(topic, dict(event))

    return do(work, arrays, tell)


def _hold(array: Array) -> Array:
    return array


def _device(name: str) -> tuple[bool, str]:
    with suppress(SerbenchError):
        return True, resolve_device(name)
    return False, f"--device {name} is not usable"


def _own(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event without the entries that Dask adds to it."""
    return {name: value for name, value in event.items() if name != "worker"}
