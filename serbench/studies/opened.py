"""Finished runs in the form in which a study receives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pluggy

from serbench.files.cache_use import using_cache
from serbench.files.paths import cache_folder
from serbench.running.executors.choose import ExecutorName, make_executor
from serbench.running.executors.executor import Executor
from serbench.running.executors.local import resolve_device
from serbench.running.harness.observer import Observer
from serbench.running.plugins import Plugins, load_plugins
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry
from serbench.running.replay.run import Replay
from serbench.running.store.finished import StoredRun, load_run

Watching = Callable[[pluggy.HookRelay], AbstractContextManager[Observer]]
"""A context in which progress is shown."""


@dataclass
class Opened:
    """Runs, and everything that is needed to predict again. It is read only when it is used.

    Attributes:
        folders: folders of the runs, at least one.
        overlay: overlay of the registry; None: the default.
        data_dir: the corpus's folder, if it is not in one of the usual places.
        device_name: value of ``--device``.
        jobs: value of ``--jobs``; None: one per core.
        executor_name, address: values of ``--executor`` and ``--address``.
        watch: receives progress.
    """

    folders: tuple[Path, ...]
    overlay: Path | None = None
    data_dir: Path | None = None
    device_name: str = "auto"
    jobs: int | None = None
    executor_name: ExecutorName = "local"
    address: str = ""
    watch: Observer = field(default_factory=Observer)

    @property
    def folder(self) -> Path:
        """Folder of the first run."""
        return self.folders[0]

    @cached_property
    def run(self) -> StoredRun:
        """The first run, read from its folder.

        Raises:
            StoreError: see ``load_run``.
        """
        return load_run(self.folder, self.folder.resolve().name)

    @cached_property
    def plugins(self) -> Plugins:
        """The installed plugins."""
        return load_plugins()

    @cached_property
    def registry(self) -> Registry:
        """The registry with the overlay.

        Raises:
            RegistryError: see ``load_registry``.
        """
        return load_registry(self.plugins, self.overlay, strict=False)

    @cached_property
    def device(self) -> str:
        """The device on which models compute.

        Raises:
            SerbenchError: this machine has no such device.
        """
        return resolve_device(self.device_name)

    @cached_property
    def executor(self) -> Executor:
        """The executor of measurements; a cluster's workers read the run's own files.

        Raises:
            SerbenchError: see ``make_executor``.
        """
        return make_executor(
            self.executor_name, self.address, self.jobs, self.device, cache=cache_folder()
        )

    @cached_property
    def replay(self) -> Replay:
        """The first run, opened to predict again.

        Raises:
            SerbenchError: see ``Replay.open``.
        """
        return Replay.open(
            self.folder, self.registry, self.plugins, data_dir=self.data_dir, cache=cache_folder(),
            watch=self.watch, device=self.device,
        )  # fmt: skip

    @contextmanager
    def watched(self, watching: Watching) -> Iterator[None]:
        """Mark the cache as in use and show progress while the context is open."""
        with using_cache(cache_folder()), watching(self.plugins.hook) as self.watch:
            yield
