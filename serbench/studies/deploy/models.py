"""The models of a run's outer folds, exported and converted, in the cache under digests."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

from serbench.device.export.deployed import Deployed
from serbench.device.export.stored import calibration_audio, check_students, stored_model
from serbench.files.cache_kinds import kind_folder
from serbench.files.kept import check_folder, folder_files, keep_folder, making, read_kept
from serbench.files.source import core_digest, package_digest
from serbench.running.harness.code import FIT
from serbench.running.plan.records import describe_candidate, digest_of
from serbench.running.replay.run import Replay
from serbench.running.replay.students import StoredStudent
from serbench.studies.deploy.backends import TriedBackend
from serbench.studies.deploy.device.instruments import cpu_name
from serbench.studies.deploy.opened import describe_model
from serbench.studies.deploy.process import PATIENCE_S, WorkerError, call_worker, describe_backend
from serbench.studies.deploy.versions import package_versions

EXPORT = ("device/export", "device/windows.py", *FIT)
"""Core modules that decide what an exported model is."""


@dataclass(frozen=True)
class FoldModel:
    """The model of one outer fold.

    Attributes:
        address: digest of everything that decides it.
    """

    student: StoredStudent
    deployed: Deployed
    address: str


@dataclass(frozen=True, slots=True)
class Converted:
    """A fold's model as a backend has written it.

    Attributes:
        address: digest of everything that decides it.
    """

    folder: Path
    address: str

    @property
    def size_bytes(self) -> int:
        """Size of its files."""
        return sum(file.stat().st_size for file in self.files)

    @property
    def files(self) -> list[Path]:
        """The files that the backend has written."""
        return [self.folder / name for name in folder_files(self.folder)]


def export_folds(replay: Replay, students: Sequence[StoredStudent]) -> tuple[FoldModel, ...]:
    """Export students that the cache does not have yet.

    Raises:
        StoreError: weights are damaged or do not fit their code.
        RegistryError: a front end or windows cannot be exported.
        CorpusError: audio for calibration can no longer be read.
    """
    check_students(students)
    made = []
    advance = partial(replay.watch.advance, "export")
    advance(0, len(students))
    for number, student in enumerate(students, start=1):
        made.append(_export(replay, student))
        student.release()
        advance(number, len(students))
    return tuple(made)


def _export(replay: Replay, student: StoredStudent) -> FoldModel:
    trained = stored_model(replay, student)
    split = replay.folds.outer[student.outer - 1]
    own = type(student.candidate.student)
    address = digest_of(
        {
            "weights": student.weights_digest,
            "facts": trained.facts,
            "candidate": describe_candidate(student.candidate),
            "training side": [[i, replay.table.by_id[i].pcm_sha256] for i in split.train.ids],
            "code": [
                core_digest(EXPORT),
                package_digest(own),
                package_digest(type(student.candidate.front_end)),
            ],
            "packages": {name: metadata.version(name) for name in ("torch", "onnx", "onnxscript")},
        }
    )
    folder = kind_folder(replay.cache, "models") / address
    if not _whole(folder):
        with making(folder), _beside(folder) as begun:
            if not _whole(folder):
                trained.write(begun, calibration_audio(replay, student))
                keep_folder(begun, folder)
    return FoldModel(student, Deployed.read(folder, replay.stored.plugins), address)


def convert_folds(
    candidate: TriedBackend,
    models: Sequence[FoldModel],
    cache: Path,
    patience_s: float = PATIENCE_S,
) -> tuple[Converted, ...]:
    """A backend's conversion of every fold's model, made in a fresh process if one is missing.

    Raises:
        WorkerError: the backend cannot express a model, or its process crashed or hung.
    """
    own = _backend_identity(candidate)
    found = []
    for model in models:
        address = digest_of({"model": model.address, **own})
        found.append(Converted(kind_folder(cache, "converted") / address, address))
    missing = [n for n, each in enumerate(found) if not _whole(each.folder)]
    if missing:
        _convert(candidate, [(models[n], found[n].folder) for n in missing], patience_s)
    return tuple(found)


def _convert(
    candidate: TriedBackend, items: Sequence[tuple[FoldModel, Path]], patience_s: float
) -> None:
    """Convert models into their folders, except those that another command is converting.

    Raises:
        WorkerError: see ``convert_folds``.
    """
    with ExitStack() as stack:
        for folder in sorted(folder for _, folder in items):  # one order for all: no deadlock
            stack.enter_context(making(folder))
        left = [
            {
                "model": describe_model(model.deployed),
                "folder": str(folder),
                "begun": str(stack.enter_context(_beside(folder))),
            }
            for model, folder in items
            if not _whole(folder)
        ]
        task = {"backend": describe_backend(candidate.backend), "items": left}
        try:
            if left:
                call_worker("convert", task, 1, patience_s)
        except WorkerError as error:
            raise WorkerError(f"conversion: {error}") from error


def _backend_identity(candidate: TriedBackend) -> dict[str, object]:
    """What decides a conversion besides the model: the backend, its packages, the machine."""
    cls = type(candidate.backend)
    return {
        "backend": [cls.name, candidate.backend.params.model_dump(mode="json")],
        "code": package_digest(cls),  # pyright: ignore[reportArgumentType]
        "packages": package_versions(cls),
        "machine": [platform.machine(), cpu_name()],
    }


def _whole(folder: Path) -> bool:
    """Whether a model was written into ``folder`` and is undamaged."""
    return read_kept(folder, check_folder, "the model in") is not None


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A temporary folder where one process at a time makes ``folder``, before renaming it."""
    for left in folder.parent.glob(f".{folder.name}.*.tmp"):  # left by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    begun = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        yield begun
    finally:
        shutil.rmtree(begun, ignore_errors=True)
