"""Records of a run: its request, its methods with their candidates, and the digest of all these."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from serbench.api import (
    Backend,
    Estimator,
    FrontEnd,
    Loss,
    Need,
    RegistryError,
    Student,
    Teacher,
)
from serbench.learning.crops import CropRecipe
from serbench.learning.segments import Cutting
from serbench.running.plan.ablation import Ablation
from serbench.running.plan.claims import Suite
from serbench.running.plan.dataset import DatasetPlan
from serbench.running.plan.front_end import check_front_end
from serbench.running.registry.schema import wrong_loss
from serbench.running.registry.validate import Values
from serbench.settings import SAMPLERS, MethodSettings, ProtocolSettings

Runs = TypeVar("Runs", Student, FrontEnd)
"""A student or a front end: roles that may run a pretrained model."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One point of a method's grid; a method without a search has exactly one.

    Attributes:
        values: the grid's values, by dotted path.
        loss: the loss; None for an estimator.
        front_end: the student's front end.
        settings: all settings; for an estimator, which uses none of them, the defaults.
        objective: the loss of ``settings.pretrain.objective``; None: no objective.
    """

    values: Mapping[str, object]
    student: Student
    loss: Loss | None
    front_end: FrontEnd
    settings: MethodSettings
    objective: Loss | None = None

    def __post_init__(self) -> None:
        """
        Raises:
            RegistryError: unlabelled audio does not support the objective; the front end does not
                support the settings; a network has no loss; or an estimator has one.
        """
        loss = self.loss.name if self.loss else None
        if wrong := wrong_loss(type(self.student), self.student.name, loss):
            raise RegistryError(wrong)
        if (self.objective or self.inherits) and self.front_end.params.normalise == "range":
            raise RegistryError(
                'with front_end.normalise = "range", students can neither be pretrained nor '
                'inherit weights; use "partition"'
            )
        if not self.estimates:
            check_front_end(
                self.front_end,
                self.settings.augment,
                self.needs | (self.objective.needs if self.objective else frozenset()),
            )
        foreign = sorted(self.objective.needs - {"frames"}) if self.objective else []
        if foreign:
            raise RegistryError(
                f"pretrain.objective = {self.settings.pretrain.objective}: it uses "
                f"{', '.join(foreign)}, but unlabelled audio has a teacher's frames only; use "
                "frames, or another loss that uses nothing else"
            )

    @property
    def cutting(self) -> Cutting:
        """How utterances are cut into windows."""
        whole = None if self.estimates else self.front_end.framing
        return Cutting.of(self.settings.segments, whole)

    @property
    def estimates(self) -> bool:
        """Whether the student is an estimator, fitted in one call, and not a network."""
        return isinstance(self.student, Estimator)

    @property
    def needs(self) -> frozenset[Need]:
        """Outputs of teachers that the loss uses."""
        return self.loss.needs if self.loss else frozenset()

    @property
    def unlabelled(self) -> float:
        """Number of windows of unlabelled audio per training window in fits."""
        return self.loss.unlabelled if self.loss else 0.0

    @property
    def crops(self) -> CropRecipe | None:
        """Crops for training instead of random windows; None: random windows."""
        return None if self.estimates else CropRecipe.of(self.settings)

    @property
    def inherits(self) -> bool:
        """Whether the student inherits the weights of a pretrained model."""
        return self.student.card is not None


@dataclass(frozen=True, slots=True)
class MethodPlan:
    """A method with all its candidates.

    Attributes:
        loss: name of its loss; empty for an estimator.
        about: its ``summary`` and ``citation``, for reports.
        trials: number of candidates that a sampler may try; 0: all.
    """

    name: str
    student: str
    loss: str
    candidates: tuple[Candidate, ...]
    front_end: str = "log-mel"
    about: Mapping[str, str] = field(default_factory=dict)
    trials: int = 0

    @property
    def uses_teachers(self) -> bool:
        """Whether any candidate's loss uses any output of a teacher."""
        return any(candidate.needs for candidate in self.candidates)

    @property
    def estimates(self) -> bool:
        """Whether its student is an estimator."""
        return self.candidates[0].estimates

    @property
    def inherits(self) -> bool:
        """Whether any candidate's student inherits weights of a pretrained model."""
        return any(candidate.inherits for candidate in self.candidates)

    @property
    def reconstruction(self) -> bool:
        """Whether its student is rebuilt from a publication that gives neither all
        details nor code.
        """
        return any(
            getattr(candidate.student, "reconstruction", False) for candidate in self.candidates
        )

    @property
    def can_pretrain(self) -> bool:
        """Whether any candidate can use unlabelled audio."""
        return self.inherits or any(candidate.objective for candidate in self.candidates)

    @property
    def hears_unlabelled(self) -> bool:
        """Whether any candidate's fits use unlabelled audio."""
        return any(candidate.unlabelled for candidate in self.candidates)

    @property
    def can_be_taught_before(self) -> bool:
        """Whether the objective of any candidate uses a teacher."""
        return any(c.objective is not None and c.objective.needs for c in self.candidates)


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Everything that determines a run, except the contents of corpora and weights.

    Attributes:
        pretrain_audio: folder of unlabelled audio for pretraining or for fits; None: not used.
        canary: the same methods with a short training, for permuted labels; None without a canary.
        ablation: the ablation whose rows the methods are; None for other runs.
        suite: the suite of the methods; None for other runs.
    """

    dataset: DatasetPlan
    folds: str
    protocol: ProtocolSettings
    profile: str
    methods: tuple[MethodPlan, ...]
    teachers: Mapping[str, Teacher]
    backend: Backend
    pretrain_audio: Path | None = None
    canary: RunPlan | None = None
    ablation: Ablation | None = None
    suite: Suite | None = None

    def method(self, name: str) -> MethodPlan:
        """The run's method of that name."""
        return next(method for method in self.methods if method.name == name)

    @property
    def heirs(self) -> dict[str, Student]:
        """Students that inherit weights, by their names in tables."""
        return _by_model(
            (f"student {method.student}", method.name, candidate.student)
            for method in self.methods
            for candidate in method.candidates
        )

    @property
    def listeners(self) -> dict[str, FrontEnd]:
        """Front ends that run a pretrained model, by their names in tables."""
        return _by_model(
            (f"front end {method.front_end}", method.name, candidate.front_end)
            for method in self.methods
            for candidate in method.candidates
        )

    @property
    def threads(self) -> int:
        """The largest number of threads of any fit."""
        settings = [c.settings for method in self.methods for c in method.candidates]
        return max(max(each.training.threads, each.pretrain.threads) for each in settings)

    def pretrains(self, method: MethodPlan) -> bool:
        """Whether a method's students are pretrained on the run's unlabelled audio."""
        return self.pretrain_audio is not None and method.can_pretrain

    def uses_teachers(self, method: MethodPlan) -> bool:
        """Whether a method learns from a teacher, in its fits or before them."""
        before = self.pretrain_audio is not None and method.can_be_taught_before
        return method.uses_teachers or before

    def describe(self) -> Values:
        """The resolved plan as JSON. Facts about the unlabelled audio are added after it
        is read.
        """
        return {
            "dataset": self.dataset.describe(),
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
                    "front_end": method.front_end,
                    "teachers": list(self.teachers) if self.uses_teachers(method) else [],
                    "needs": sorted({n for c in method.candidates for n in c.needs}),
                    "pretrained": self.pretrains(method),
                    **({"inherits": _inherits(method)} if method.inherits else {}),
                    **({"reconstruction": True} if method.reconstruction else {}),
                    **describe_candidate(method.candidates[0]),
                    "candidates": [dict(c.values) for c in method.candidates],
                    **(
                        {"trials": method.trials}
                        if self.protocol.strategy in SAMPLERS and len(method.candidates) > 1
                        else {}
                    ),
                }
                for method in self.methods
            ],
            "pretrain_audio": None,
            "canary": self.canary.describe()["methods"] if self.canary else [],
            **({"ablation": asdict(self.ablation)} if self.ablation else {}),
            **({"suite": self.suite.describe()} if self.suite else {}),
        }


def _by_model(named: Iterable[tuple[str, str, Runs]]) -> dict[str, Runs]:
    """Plugins whose model has a card, each model once, named ``X``, ``X of METHOD``,
    ``X of METHOD (2)``, …

    Args:
        named: tuples of a plugin's name, its method's name, and the plugin: a student or
            a front end.
    """
    found: dict[str, Runs] = {}
    for name, method, plugin in named:
        if plugin.card is None:
            continue
        more = f"{name} of {method}"
        names = itertools.chain((name, more), (f"{more} ({n})" for n in itertools.count(2)))
        free = next(each for each in names if each not in found or found[each].card == plugin.card)
        found.setdefault(free, plugin)
    return found


def describe_candidate(candidate: Candidate) -> Values:
    """Plugins, their parameters and all settings of a candidate, as JSON."""
    return {
        "student_plugin": candidate.student.name,
        "student_params": _dump(candidate.student),
        "loss_plugin": candidate.loss.name if candidate.loss else "",
        "loss_params": _dump(candidate.loss) if candidate.loss else {},
        "front_end_plugin": candidate.front_end.name,
        "front_end_params": _dump(candidate.front_end),
        "settings": {} if candidate.estimates else candidate.settings.model_dump(mode="json"),
        **({"objective": _planned(candidate.objective)} if candidate.objective else {}),
    }


def describe_front_end(candidate: Candidate) -> list[object]:
    """Name and parameters of a candidate's front end, as JSON."""
    return [candidate.front_end.name, _dump(candidate.front_end)]


def stable_seed(*names: object) -> int:
    """A seed from a hash of names. It is the same on every machine and in every order."""
    text = "/".join(map(str, names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def digest_of(description: object) -> str:
    """sha256 (hex) of canonical JSON.

    Raises:
        TypeError: JSON cannot express a value, such as a set: its text would differ between
            processes.
    """
    text = json.dumps(description, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _inherits(method: MethodPlan) -> list[str]:
    """Titles of the models whose weights a method's students start from."""
    cards = (candidate.student.card for candidate in method.candidates)
    return list(dict.fromkeys(card.title for card in cards if card))


def _planned(loss: Loss) -> Values:
    return {"name": loss.name, "params": _dump(loss)}


def _dump(plugin: Teacher | FrontEnd | Student | Loss | Backend) -> Values:
    return plugin.params.model_dump(mode="json")
