"""Recognises a finished run that is asked for again: nothing is computed if nothing has changed.

Sizes and modification times are recorded of everything that a run was computed from, and of what it
wrote: settings, registry, code, libraries, corpus, weights, and the run's folder. If nothing has
changed, the same command would only write the same results again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from serbench.api import SerbenchError
from serbench.benchmark.arguments import place
from serbench.files.cache_kinds import kind_folder
from serbench.files.kept import kept_bytes, read_kept, write_kept
from serbench.files.machine import cpu_name
from serbench.files.paths import cache_folder
from serbench.files.source import CORE, RUNTIME, files_of
from serbench.running.plan.records import RunPlan, digest_of
from serbench.running.plugins import GROUP
from serbench.running.registry.load import USERS
from serbench.running.registry.lookup import Registry

ASKED = (
    "dataset", "train", "data_dir", "pretrain_audio", "out", "device", "allow_incomplete",
    "skip_missing",
)  # fmt: skip
"""Arguments of a run that are not in its plan."""

EVENTS = ("serbench_run_started", "serbench_fit_epoch", "serbench_fold_scored")
"""Hooks of plugins that receive the events of a run: such plugins need the events again."""

DEVICES = "nvidia[0-9]*"
"""Pattern of files below /dev for the accelerators that ``--device auto`` finds."""


@dataclass(frozen=True)
class Repeat:
    """The command of a run, and the facts that are recorded about it.

    Args:
        plan: the run's plan.
        registry: with its plugins.
        given: all arguments of ``serbench.run``.
    """

    plan: RunPlan
    registry: Registry
    given: Mapping[str, Any]

    def folder(self) -> Path | None:
        """The folder of the finished run if nothing has changed; None: the run must be computed."""
        if not self._possible:
            return None
        try:
            noted = read_kept(self._path, _read, "note of a finished run")
            if noted is None or noted["from"] != self._sources(map(Path, noted["data"])):
                return None
            folder = Path(noted["folder"])
            return folder if noted["results"] == _tree([folder]) else None
        except (OSError, SerbenchError):  # the run itself reports the problem
            return None

    def note(self, folder: Path, data: Iterable[Path]) -> None:
        """Record the facts about a run that was just finished.

        Args:
            folder: folder of the run.
            data: folders of its corpora and its unlabelled audio.
        """
        if not self._possible:
            return
        data = [each.absolute() for each in data]
        with suppress(OSError, SerbenchError):  # without it, the next command takes longer
            noted = {
                "folder": str(folder.absolute()),
                "data": [str(each) for each in data],
                "from": self._sources(data),
                "results": _tree([folder.absolute()]),
            }
            write_kept(self._path, json.dumps(noted).encode())

    @property
    def _possible(self) -> bool:
        """Whether the results go only to the run's folder: no plugin and no
        tracker receives events.
        """
        hook = self.registry.plugins.hook
        heard = any(getattr(hook, name).get_hookimpls() for name in EVENTS)
        return not (heard or self.given["tracker"])

    @property
    def _path(self) -> Path:
        asked = {name: str(self.given[name]) for name in ASKED}
        plan = [self.plan.describe(), [dict(method.about) for method in self.plan.methods]]
        key = digest_of([plan, asked, str(Path.cwd())])
        return kind_folder(cache_folder(), "repeats") / f"{key[:24]}.json"

    def _sources(self, data: Iterable[Path]) -> str:
        """Digest of everything that a run is computed from.

        Raises:
            SerbenchError: weights of a model are not available.
            OSError: a file cannot be read.
        """
        plan = self.plan
        models = {**plan.teachers, **plan.heirs, **plan.listeners}
        packages = {each.value.partition(".")[0].partition(":")[0] for each in _plugins()}
        code = [file for name in sorted(packages) for file in files_of(name)]
        registries = [each for each in (place(self.given["registry"]), USERS) if each]
        registries = [each.absolute() for each in registries if each.is_file()]
        devices = Path("/dev")
        return digest_of(
            {
                "models": {name: model.model_digest for name, model in models.items()},
                "data": _tree(data),
                "code": _tree([CORE, RUNTIME, *code, *registries], {".py", ".toml", ".j2"}),
                "libraries": _stats(Path(each) for each in sys.path if each.endswith("-packages")),
                "machine": [sys.version, cpu_name(), sorted(map(str, devices.glob(DEVICES)))],
                "environment": {
                    name: value
                    for name, value in sorted(os.environ.items())
                    if name.startswith(("SERBENCH_", "CUDA_", "ONEDNN_", "MKL_"))
                },
            }
        )


def data_folders(plan: RunPlan, given: Mapping[str, Any]) -> list[Path]:
    """Folders from which a run has just read its data."""
    from serbench.data.corpus.locate import locate

    data_dir, found = place(given["data_dir"]), []
    for part in plan.dataset.parts:
        own = data_dir
        if data_dir is not None and plan.dataset.training:
            own = data_dir / part.name if (data_dir / part.name).is_dir() else None
        folder = locate(
            part.corpus, part.name, own, cache_folder(), _silent, _silent, part.spec.path
        )
        found.append(folder)
    return [*found, *([plan.pretrain_audio] if plan.pretrain_audio else [])]


def _silent(*_: object) -> None:
    """Ignore a message: the run has already reported how it found the folder."""


def _plugins() -> Iterable[Any]:
    return entry_points(group=GROUP)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(kept_bytes(path))


def _tree(places: Iterable[Path], suffixes: frozenset[str] | set[str] = frozenset()) -> str:
    """Digest of names, sizes and modification times of files, and of all files below folders."""
    digest = hashlib.sha256()
    for at in places:
        for file in _below(at):
            if not suffixes or file.suffix in suffixes:
                status = file.stat()
                digest.update(f"{file}\t{status.st_size}\t{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _below(at: Path) -> Iterator[Path]:
    if not at.is_dir():
        yield at
        return
    for folder, folders, names in os.walk(at):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names))


def _stats(folders: Iterable[Path]) -> list[list[object]]:
    """Modification times of folders: installing or removing a library changes them."""
    return [[str(each), each.stat().st_mtime_ns] for each in folders]
