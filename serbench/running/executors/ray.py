"""Computes items on the workers of a Ray cluster."""

from __future__ import annotations

import itertools
import logging
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

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

# Imported by name, because it is not installed on machines that check types.
ray: Any = import_module("ray")
ray_exceptions: Any = import_module("ray.exceptions")
scheduling: Any = import_module("ray.util.scheduling_strategies")

CONNECT_S = 10.0
POLL_S = 0.3
EVENTS_S = 10.0
"""Seconds to wait for the last epochs of items that are done."""

RETRIES = 3


class Mailbox:
    """An actor that epochs are sent to and fetched from."""

    def __init__(self) -> None:
        self._events: list[Mapping[str, Any]] = []

    def put(self, event: Mapping[str, Any]) -> None:
        """Keep an event until it is fetched."""
        self._events.append(event)

    def take(self) -> list[Mapping[str, Any]]:
        """Events since the last call."""
        events, self._events = self._events, []
        return events


class RayExecutor(Executor):
    """The cores of a Ray cluster; each computes one item at a time.

    If a worker is lost, Ray has its item computed again by another worker.

    Args:
        address: address of a running cluster, or ``auto``. If it is empty, a cluster is started on
            this machine.
        jobs: number of cores for a cluster on this machine; None: all.
        cache: root of the cache. If all nodes see the same folder, they read large arrays there.
            Otherwise each array is sent once to each node that needs it.

    Raises:
        SerbenchError: no cluster answers.
    """

    def __init__(self, address: str, jobs: int | None, cache: Path) -> None:
        self.address = address
        self.jobs = jobs
        self.cache = cache
        self._packer: Packer | None = None
        self._arrays: dict[str, Any] = {}
        self._connect()
        self.workers = int(ray.cluster_resources().get("CPU", 1))

    def device(self, name: str) -> str:
        """The device that ``name`` means on one of the workers."""
        self._connect()
        return _result(ray.remote(num_cpus=1)(resolve_device).remote(name))

    def reads(self, path: Path) -> bool:
        """See ``Executor``."""
        self._connect()
        return all(self._on_all(can_read, path, path.stat().st_size))

    def train(
        self, function: Callable[[T, OnEpoch], R], tasks: Iterator[T], on_epoch: OnEpoch
    ) -> Iterator[R]:
        """See ``Executor``. Epochs arrive through an actor."""
        self._connect()
        events = Events(on_epoch)
        own = _on_node(ray.get_runtime_context().get_node_id())  # other nodes can be lost
        mailbox: Any = ray.remote(num_cpus=0, scheduling_strategy=own)(Mailbox).remote()

        def fetch() -> None:
            for event in _result(mailbox.take.remote()):
                events.take(event)

        told = 0
        try:
            for _, (count, result) in self._results(function, tasks, mailbox, fetch):
                told += count
                yield result
            until = time.monotonic() + EVENTS_S
            while events.received < told and time.monotonic() < until:
                fetch()
                time.sleep(0.02)
        finally:
            ray.kill(mailbox)
        if events.failure is not None:
            raise events.failure

    def each_call(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[int, R]]:
        """See ``Executor``. Each core computes one item at a time."""
        self._connect()
        for position, (_, result) in self._results(function, iter(items), None, lambda: None):
            yield position, result

    def shut_down(self) -> None:
        """Leave the cluster. If it was started on this machine, it ends."""
        self._arrays.clear()
        self._packer = None
        ray.shutdown()

    def _results(
        self,
        function: Callable[..., Any],
        items: Iterator[Any],
        mailbox: Any,
        fetch: Callable[[], None],
    ) -> Iterator[tuple[int, tuple[int, Any]]]:
        """Position of each finished item, with the number of its epochs and its result."""
        packer = self._packer = self._packer or Packer(self._send, by_path=self._shares())
        remote = ray.remote(num_cpus=1, max_retries=RETRIES)(work_here)
        places: dict[Any, int] = {}
        count = itertools.count()

        def submit() -> None:
            for item, position in zip(items, count, strict=False):
                work = describe(packer, function, item, trains=mailbox is not None)
                arrays = [self._arrays[name] for name in work.packed.arrays]
                places[remote.remote(work, mailbox, *arrays)] = position

        try:
            submit()
            while places:
                done, _ = ray.wait([*places], num_returns=1, timeout=POLL_S)
                fetch()
                for each in done:
                    yield places.pop(each), _result(each)
                submit()
        finally:
            for each in places:
                ray.cancel(each, force=True)

    def _send(self, name: str, array: Array) -> None:
        self._arrays[name] = ray.put(array)

    def _shares(self) -> bool:
        """Whether all nodes see this machine's cache folder."""
        path, text = leave_mark(self.cache)
        try:
            return all(self._on_all(has_mark, path, text))
        finally:
            path.unlink(missing_ok=True)

    def _on_all(self, function: Callable[..., R], *arguments: object) -> list[R]:
        """Call ``function`` with the arguments on every node."""
        ask: Any = ray.remote(num_cpus=0)(function)
        nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
        found = [
            ask.options(scheduling_strategy=_on_node(each)).remote(*arguments) for each in nodes
        ]
        return _result(found)

    def _connect(self) -> None:
        if ray.is_initialized():
            return
        own: dict[str, Any] = {"num_cpus": self.jobs, "include_dashboard": False}
        host, _, port = self.address.removeprefix("ray://").rpartition(":")
        try:
            if port.isdigit():  # if nothing listens there, Ray tries for minutes
                socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
            ray.init(
                address=self.address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                **({} if self.address else own),
            )
        except (OSError, RuntimeError, ValueError, ray_exceptions.RayError) as error:
            raise SerbenchError(
                f"--address {self.address or 'local'}: no Ray cluster answers there ({error}); "
                "start one with `ray start --head`; if it asks for a token, set RAY_AUTH_MODE=token"
            ) from None


def work_here(work: Work, mailbox: Any, *arrays: Array) -> tuple[int, Any]:
    """Compute one item in a worker; see ``do``."""
    named = dict(zip(work.packed.arrays, arrays, strict=True))
    return do(work, named, lambda event: mailbox.put.remote(event))  # noqa: PLW0108 - may be None


def _on_node(name: str) -> Any:
    return scheduling.NodeAffinitySchedulingStrategy(name, soft=False)


def _result(reference: Any) -> Any:
    """
    Raises:
        SerbenchError: workers died of the item, the cluster is gone, or as the item.
    """
    try:
        return ray.get(reference)
    except (ray_exceptions.WorkerCrashedError, ray_exceptions.OutOfMemoryError):
        raise SerbenchError(
            f"Ray workers died {RETRIES + 1} times while they computed the same item, most often "
            "because memory ran out; run the same command again to continue, with fewer workers"
        ) from None
    except ray_exceptions.RayTaskError as error:
        raise error.cause from None
    except ray_exceptions.RayError as error:
        raise SerbenchError(
            f"the Ray cluster no longer answers ({type(error).__name__}); run the same command "
            "again to continue"
        ) from None
