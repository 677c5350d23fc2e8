"""The students that a run has stored, and their posteriors for given frames."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from serbench.api import Backend, StoreError, StudentShape
from serbench.files.source import core_digest, package_digest
from serbench.learning.features import Frames, Normaliser
from serbench.learning.fit.predict import predict
from serbench.learning.front_ends import shape_of
from serbench.learning.segments import Segment
from serbench.running.harness.code import FIT, backend_identity
from serbench.running.plan.records import Candidate, describe_front_end, digest_of
from serbench.running.replay.stored import StoredPlan
from serbench.running.store.cache import FitCache
from serbench.running.store.run import RunStore

TOLERANCE = 2e-3
"""Largest difference of a posterior that another machine's arithmetic may cause."""


@dataclass(frozen=True)
class StoredStudent:
    """One stored student of an outer fold.

    Attributes:
        name: name of its fit, such as ``akd/seed-0/outer-1``.
        outer: the fold, from 1.
        candidate: the candidate that was chosen for this fold.
        parameters: number of trained parameters.
        classes: C, the number of classes.
        store: the run's folder.
    """

    name: str
    method: str
    outer: int
    seed: int
    candidate: Candidate
    parameters: int
    classes: int
    store: RunStore

    @property
    def shape(self) -> StudentShape:
        """Shape of its input and output.

        Raises:
            TeacherError: it depends on a pretrained model that is not available.
        """
        return shape_of(self.candidate.front_end, self.classes)

    @property
    def path(self) -> Path:
        """Path of the file of its weights."""
        return self.store.model_path(self.method, self.outer, self.seed)

    @property
    def weights_digest(self) -> str:
        """sha256 (hex) of the file of its weights.

        Raises:
            StoreError: it cannot be read.
        """
        try:
            return hashlib.sha256(self.path.read_bytes()).hexdigest()
        except OSError as error:
            raise StoreError(f"cannot read {self.path}: {error.strerror or error}") from error

    @property
    def module(self) -> nn.Module:
        """The network with its weights, read when first asked for.

        Raises:
            StoreError: the file is missing, damaged, or does not fit the student's code.
            TeacherError: as ``shape``.
        """
        return self._trained[0]

    @property
    def normaliser(self) -> Normaliser:
        """The normaliser that was fitted on its training side.

        Raises:
            StoreError: as ``module``.
        """
        return self._trained[1]

    def release(self) -> None:
        """Free the weights; they are read again when needed."""
        self.__dict__.pop("_trained", None)

    @cached_property
    def _trained(self) -> tuple[nn.Module, Normaliser]:
        state = self.store.read_model(self.method, self.outer, self.seed)
        try:
            normaliser = Normaliser(state.pop("normaliser.mean"), state.pop("normaliser.deviation"))
            module = self.candidate.student.build(self.shape)
            module.load_state_dict(state)
        except (KeyError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise StoreError(
                f"{self.path} is not the student of {self.name}, or its code has changed since "
                f"({reason})"
            ) from error
        return module, normaliser


def stored_students(stored: StoredPlan, store: RunStore) -> tuple[StoredStudent, ...]:
    """Every student that was refitted on an outer training side, in the order of the plan.

    Raises:
        StoreError: a record of a fit is damaged or names a method that the plan lacks.
        PluginError: a student's or a loss's plugin is not installed.
    """
    methods = {str(method["name"]): method for method in stored.plan["methods"]}
    order = {name: place for place, name in enumerate(methods)}
    labels = stored.plan["dataset"]["labels"]
    found = []
    for fit in store.fits():
        if fit["inner"] is not None:
            continue
        if fit["method"] not in methods:
            raise StoreError(f"{store.folder}: {fit['fit']} belongs to no method of plan.json")
        candidate = stored.candidate(methods[fit["method"]], fit["values"])
        found.append(
            StoredStudent(
                name=str(fit["fit"]),
                method=str(fit["method"]),
                outer=int(fit["outer"]),
                seed=int(fit["seed"]),
                candidate=candidate,
                parameters=int(fit["parameters"]),
                classes=len(labels),
                store=store,
            )
        )
    return tuple(sorted(found, key=lambda each: (order[each.method], each.seed, each.outer)))


def predict_windows(
    student: StoredStudent,
    frames: Frames,
    segments: Sequence[Segment],
    backend: Backend,
    device: torch.device,
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Utterance ids in order of appearance, and their mean posteriors ``(U, C)``.

    Args:
        student: a stored student.
        frames: frames of any audio, from the student's own front end.
        segments: windows of that audio.
        backend: the backend of the scores.
        device: device of the computation.

    Raises:
        StoreError: as ``StoredStudent.module``.
    """
    module = student.module.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    ids, posteriors = predict(
        module, student.normaliser, frames, segments, student.candidate.settings.segments,
        backend, device,
    )  # fmt: skip
    return ids, posteriors.astype(np.float32, copy=False)


def predict_kept(
    student: StoredStudent,
    frames: Frames,
    segments: Sequence[Segment],
    backend: Backend,
    device: torch.device,
    cache: FitCache,
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Result of ``predict_windows``, from the cache if it was predicted before.

    The address covers the student's weights and code, the frames, the windows, backend and device.
    """
    own = type(student.candidate.student)
    address = digest_of(
        {
            "weights": student.weights_digest,
            "frames": frames.digest,
            "windows": [[each.utt_id, each.t_start_s, each.t_end_s] for each in segments],
            "settings": student.candidate.settings.segments.model_dump(mode="json"),
            "student": [own.name, student.candidate.student.params.model_dump(mode="json")],
            "front_end": describe_front_end(student.candidate),
            "backend": backend_identity(backend),
            "device": device.type,
            "torch": torch.__version__,
            "code": [core_digest(FIT), package_digest(own)],
        }
    )
    kept = cache.get(address)
    if kept is not None:
        return tuple(kept.json["ids"]), kept.arrays["posteriors"]
    ids, posteriors = predict_windows(student, frames, segments, backend, device)
    cache.put(address, {"ids": list(ids)}, {"posteriors": posteriors})
    return ids, posteriors
