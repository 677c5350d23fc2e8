"""Finished runs as a study gets them."""

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
"""Shows progress while it is open."""


@dataclass
class Opened:
    """Runs, and what it takes to predict again. What is not used is not read.

    Attributes:
        folders: of the runs, at least one.
        overlay: of the registry; None: the default.
        data_dir: the corpus's folder, where it is not where it is looked for.
        device_name: as ``--device`` says.
        jobs: as ``--jobs`` says; None: one per core.
        executor_name, address: as ``--executor`` and ``--address`` say.
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
        """Of the first run."""
        return self.folders[0]

    @cached_property
    def run(self) -> StoredRun:
        """What the first run's folder holds.

        Raises:
            StoreError: as ``load_run``.
        """
        return load_run(self.folder, self.folder.resolve().name)

    @cached_property
    def plugins(self) -> Plugins:
        """Those that are installed."""
        return load_plugins()

    @cached_property
    def registry(self) -> Registry:
        """With the overlay.

        Raises:
            RegistryError: as ``load_registry``.
        """
        return load_registry(self.plugins, self.overlay, strict=False)

    @cached_property
    def device(self) -> str:
        """Where models compute.

        Raises:
            SerbenchError: there is no such device here.
        """
        return resolve_device(self.device_name)

    @cached_property
    def executor(self) -> Executor:
        """Where measurements are computed; a cluster's workers read the run's own files.

        Raises:
            SerbenchError: as ``make_executor``.
        """
        return make_executor(
            self.executor_name, self.address, self.jobs, self.device, cache=cache_folder()
        )

    @cached_property
    def replay(self) -> Replay:
        """The first run, opened to predict again.

        Raises:
            SerbenchError: as ``Replay.open``.
        """
        return Replay.open(
            self.folder, self.registry, self.plugins, data_dir=self.data_dir, cache=cache_folder(),
            watch=self.watch, device=self.device,
        )  # fmt: skip

    @contextmanager
    def watched(self, watching: Watching) -> Iterator[None]:
        """The cache is in use and progress is shown while this is open."""
        with using_cache(cache_folder()), watching(self.plugins.hook) as self.watch:
            yield
