"""What a run is: its request, its methods with their candidates, and the digest of all that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from serbench.api import Backend, Corpus, Loss, Student, Teacher
from serbench.registry import DatasetSpec
from serbench.settings import MethodSettings, ProtocolSettings

Table = dict[str, object]


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line says.

    Attributes:
        teachers: names, hub-free; a folder stands for a speech encoder kept there. Empty: the
            dataset's own.
        sets: ``path=value`` texts.
    """

    dataset: str
    methods: tuple[str, ...]
    profile: str = "standard"
    teachers: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One point of a method's grid; a method without a search has exactly one.

    Attributes:
        values: what the grid sets here, by dotted path.
    """

    values: Mapping[str, object]
    student: Student
    loss: Loss
    settings: MethodSettings


@dataclass(frozen=True, slots=True)
class MethodPlan:
    """A method with all its candidates."""

    name: str
    student: str
    loss: str
    candidates: tuple[Candidate, ...]

    @property
    def uses_teachers(self) -> bool:
        """Whether any candidate's loss reads anything of a teacher."""
        return any(candidate.loss.needs for candidate in self.candidates)


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Everything that determines a run but the contents of corpus and weights.

    Attributes:
        canary: the same methods in a cheap training, for permuted labels; None without a canary.
    """

    dataset: str
    spec: DatasetSpec
    corpus: Corpus
    folds: str
    protocol: ProtocolSettings
    profile: str
    methods: tuple[MethodPlan, ...]
    teachers: Mapping[str, Teacher]
    backend: Backend
    canary: RunPlan | None = None

    def method(self, name: str) -> MethodPlan:
        """The method of that name, which the run has."""
        return next(method for method in self.methods if method.name == name)

    def describe(self) -> Table:
        """The resolved plan as JSON."""
        return {
            "dataset": {
                "name": self.dataset,
                "corpus": self.spec.corpus,
                "params": _dump(self.corpus),
            },
            "folds": self.folds,
            "protocol": self.protocol.model_dump(mode="json"),
            "profile": self.profile,
            "backend": {"name": self.backend.name, "params": _dump(self.backend)},
            "teachers": {
                name: {"plugin": teacher.name, "params": _dump(teacher)}
                for name, teacher in self.teachers.items()
            },
            "methods": [
                {
                    "name": method.name,
                    "student": method.student,
                    "loss": method.loss,
                    "teachers": list(self.teachers) if method.uses_teachers else [],
                    **describe_candidate(method.candidates[0]),
                    "candidates": [dict(c.values) for c in method.candidates],
                }
                for method in self.methods
            ],
            "canary": self.canary.describe()["methods"] if self.canary else [],
        }


def describe_candidate(candidate: Candidate) -> Table:
    """Plugins, their parameters and all settings of a candidate, as JSON."""
    return {
        "student_plugin": candidate.student.name,
        "student_params": _dump(candidate.student),
        "loss_plugin": candidate.loss.name,
        "loss_params": _dump(candidate.loss),
        "settings": candidate.settings.model_dump(mode="json"),
    }


def stable_seed(*names: object) -> int:
    """A seed that is a hash of named things: the same on every machine, in every order."""
    text = "/".join(map(str, names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def digest_of(description: object) -> str:
    """sha256 (hex) of canonical JSON."""
    text = json.dumps(description, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _dump(plugin: Corpus | Teacher | Student | Loss | Backend) -> Table:
    return plugin.params.model_dump(mode="json")
