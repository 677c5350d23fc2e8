"""From what the user asked for to everything that will be run, before anything is run."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from serbench.api import Backend, Corpus, Loss, RegistryError, Student, Teacher
from serbench.plugins import did_you_mean
from serbench.registry import DatasetSpec, MethodSpec, Registry, lay_over, validate
from serbench.settings import MethodSettings, ProtocolSettings

log = logging.getLogger(__name__)

Table = dict[str, object]
Keys = tuple[str, ...]

SETTING_ROOTS = tuple(MethodSettings.model_fields)
METHOD_ROOTS = (*SETTING_ROOTS, "student", "loss")
ROOTS = (*METHOD_ROOTS, "teacher", "corpus", "protocol", "methods")
BACKEND = "torch"
"""What scores are taken through; other backends are compared with it by a deployment table."""


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
    """Everything that determines a run but the contents of corpus and weights."""

    dataset: str
    spec: DatasetSpec
    corpus: Corpus
    folds: str
    protocol: ProtocolSettings
    profile: str
    methods: tuple[MethodPlan, ...]
    teachers: Mapping[str, Teacher]
    backend: Backend

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


def plan_run(registry: Registry, request: Request) -> RunPlan:
    """Resolve every name and setting of a request.

    Raises:
        RegistryError: an unknown name, a setting that does not exist or does not fit.

    """
    sets = [parse_set(text) for text in request.sets]
    _check_roots(sets, request.methods)
    profile = registry.profile(request.profile)
    spec = registry.dataset(request.dataset)
    protocol = validate(
        ProtocolSettings, lay_over(profile.protocol, _below(sets, "protocol")), "protocol"
    )
    names = tuple(dict.fromkeys(request.methods))
    if not names:
        raise RegistryError(f"name at least one method: {', '.join(registry.methods)}")
    specs = {name: method_spec(registry, name) for name in names}
    methods = tuple(
        _method(registry, name, specs[name], profile.settings, protocol, sets) for name in names
    )
    _check_used(sets, methods)
    teachers = _teachers(registry, request, spec, methods, _below(sets, "teacher"))
    corpus: Corpus = registry.make("corpora", request.dataset, _below(sets, "corpus"))  # pyright: ignore[reportAssignmentType]
    backend: Backend = registry.make("backends", BACKEND)  # pyright: ignore[reportAssignmentType]
    return RunPlan(
        dataset=request.dataset,
        spec=spec,
        corpus=corpus,
        folds=protocol.folds or spec.folds,
        protocol=protocol,
        profile=request.profile,
        methods=methods,
        teachers=teachers,
        backend=backend,
    )


def method_spec(registry: Registry, name: str) -> MethodSpec:
    """A method of the registry, or ``STUDENT+LOSS`` made up on the spot.

    Raises:
        RegistryError: neither.

    """
    student, plus, loss = name.partition("+")
    if not plus:
        return registry.method(name)
    registry.student(student)
    registry.loss(loss)
    return MethodSpec(summary=f"{student} trained with {loss}", student=student, loss=loss)


def parse_set(text: str) -> tuple[Keys, object]:
    """``"training.epochs=20"`` to ``(("training", "epochs"), 20)``.

    The value is read as TOML; what is not TOML is text.

    Raises:
        RegistryError: no ``=``, or an empty part of the path.

    """
    path, equals, value = text.partition("=")
    parts = tuple(part.strip() for part in path.split("."))
    if not equals or not all(parts):
        raise RegistryError(f"--set {text}: write it as path=value, as in training.epochs=20")
    try:
        return parts, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return parts, value.strip()


def stable_seed(*names: object) -> int:
    """A seed that is a hash of named things: the same on every machine, in every order."""
    text = "/".join(map(str, names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def digest_of(description: object) -> str:
    """sha256 (hex) of canonical JSON."""
    text = json.dumps(description, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _check_roots(sets: Sequence[tuple[Keys, object]], methods: Collection[str]) -> None:
    """
    Raises:
        RegistryError: a ``--set`` whose first part leads nowhere.

    """
    for path, _ in sets:
        shown = ".".join(path)
        root = path[0]
        if root not in ROOTS or len(path) == 1:
            raise RegistryError(
                f"--set {shown}: starts with none of {', '.join(ROOTS)}{did_you_mean(root, ROOTS)}"
            )
        name = path[1]
        if root != "methods":
            continue
        if name not in methods or len(path) < 4:
            raise RegistryError(
                f"--set {shown}: write methods.NAME.training.epochs=20 and the like, where NAME "
                f"is a method of this run{did_you_mean(name, methods)}"
            )
        if path[2] not in METHOD_ROOTS:
            raise RegistryError(
                f"--set {shown}: a method has {', '.join(METHOD_ROOTS)}"
                f"{did_you_mean(path[2], METHOD_ROOTS)}"
            )


def _below(sets: Iterable[tuple[Keys, object]], *root: str) -> Table:
    """The settings below ``root`` as nested tables."""
    table: Table = {}
    for path, value in sets:
        if path[: len(root)] == root and len(path) > len(root):
            nested: object = value
            for part in reversed(path[len(root) :]):
                nested = {part: nested}
            assert isinstance(nested, dict)
            table = lay_over(table, nested)
    return table


def _method(
    registry: Registry,
    name: str,
    spec: MethodSpec,
    profile: Mapping[str, object],
    protocol: ProtocolSettings,
    sets: Sequence[tuple[Keys, object]],
) -> MethodPlan:
    """A method with its settings, laid over in order, and its grid opened up."""
    own = [(path[2:], value) for path, value in sets if path[:2] == ("methods", name)]
    shared = [(path, value) for path, value in sets if path[0] not in {"methods", "protocol"}]
    settings: Table = lay_over(spec.settings, profile)
    for root in SETTING_ROOTS:
        for asked in (shared, own):
            settings = lay_over(settings, {root: _below(asked, root)})
    parts: dict[str, Table] = {}
    for kind, plural, entry, base in (
        ("student", "students", spec.student, spec.student_params),
        ("loss", "losses", spec.loss, spec.loss_params),
    ):
        plugin: Student | Loss = registry.make(plural, entry)  # pyright: ignore[reportAssignmentType]
        fields = type(plugin).Params.model_fields
        fitting = {k: v for k, v in _below(shared, kind).items() if k in fields}
        parts[kind] = lay_over(lay_over(base, fitting), _below(own, kind))
    grid = spec.grids.get(protocol.search, {}) if protocol.search else {}
    # What the user sets is decided; it is no longer searched over.
    decided = {".".join(path) for path, _ in [*shared, *own]}
    grid = {path: values for path, values in grid.items() if path not in decided}
    candidates = tuple(
        _candidate(registry, name, spec, settings, parts, dict(zip(grid, values, strict=True)))
        for values in itertools.product(*grid.values())
    )
    return MethodPlan(name, spec.student, spec.loss, candidates)


def _candidate(
    registry: Registry,
    name: str,
    spec: MethodSpec,
    settings: Table,
    parts: Mapping[str, Table],
    values: Mapping[str, object],
) -> Candidate:
    """One grid point."""
    asked = [(tuple(path.split(".")), value) for path, value in values.items()]
    for root in SETTING_ROOTS:
        settings = lay_over(settings, {root: _below(asked, root)})
    student: Student = registry.make(  # pyright: ignore[reportAssignmentType]
        "students", spec.student, lay_over(parts["student"], _below(asked, "student"))
    )
    loss: Loss = registry.make(  # pyright: ignore[reportAssignmentType]
        "losses", spec.loss, lay_over(parts["loss"], _below(asked, "loss"))
    )
    return Candidate(values, student, loss, validate(MethodSettings, settings, f"methods.{name}"))


def _check_used(sets: Iterable[tuple[Keys, object]], methods: Sequence[MethodPlan]) -> None:
    """
    Raises:
        RegistryError: a ``--set student.X`` or ``loss.X`` that no method of the run takes.

    """
    for path, _ in sets:
        if path[0] not in {"student", "loss"}:
            continue
        known = {
            field
            for method in methods
            for field in getattr(method.candidates[0], path[0]).params.__class__.model_fields
        }
        if path[1] not in known:
            raise RegistryError(
                f"--set {'.'.join(path)}: no {path[0]} of this run has it"
                f"{did_you_mean(path[1], known)}"
            )


def _teachers(
    registry: Registry,
    request: Request,
    spec: DatasetSpec,
    methods: Sequence[MethodPlan],
    overrides: Table,
) -> dict[str, Teacher]:
    """The run's teachers by name; none where no method reads one.

    Raises:
        RegistryError: an unknown teacher, none where one is needed, one where none is.

    """
    used = any(method.uses_teachers for method in methods)
    if not used and overrides:
        raise RegistryError(
            f"--set teacher.{next(iter(overrides))}: no method of this run learns from a teacher"
        )
    named = request.teachers or (spec.teachers if used else ())
    if used and not named:
        needing = ", ".join(method.name for method in methods if method.uses_teachers)
        raise RegistryError(
            f"{needing} needs a teacher and dataset {request.dataset} names none: "
            f"give --teacher NAME_OR_FOLDER ({', '.join(registry.teachers)})"
        )
    teachers: dict[str, Teacher] = {}
    for text in dict.fromkeys(named):
        name, teacher = _teacher(registry, text, overrides)
        if name in teachers:
            raise RegistryError(
                f"--teacher {text}: another teacher of this run is called {name} too; "
                "rename the folder"
            )
        teachers[name] = teacher
    if teachers and not used:
        log.warning(
            "no method of this run learns from a teacher: %s is not used", ", ".join(teachers)
        )
        return {}
    return teachers


def _teacher(registry: Registry, name: str, overrides: Table) -> tuple[str, Teacher]:
    """A teacher of the registry, or the speech encoder in a folder, and what the run calls it.

    Raises:
        RegistryError: neither.

    """
    if name in registry.teachers or not ("/" in name or Path(name).is_dir()):
        return name, registry.make("teachers", name, overrides)  # pyright: ignore[reportReturnType]
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise RegistryError(
            f"--teacher {name}: there is no such folder; give a folder with config.json and "
            f"weights, or one of {', '.join(registry.teachers)}"
        )
    local = lay_over({"model": str(folder)}, overrides)
    made = registry.make("teachers", "speech-encoder", local)
    return folder.resolve().name, made  # pyright: ignore[reportReturnType]


def _dump(plugin: Corpus | Teacher | Student | Loss | Backend) -> Table:
    return plugin.params.model_dump(mode="json")
