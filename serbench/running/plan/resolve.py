"""Resolves names and settings to the plugins and checked settings of a run."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from serbench.api import Estimator, Loss, RegistryError, Student, Teacher
from serbench.running.plan.dataset import OFFICIAL, DatasetPlan, plan_dataset
from serbench.running.plan.front_end import Sets, front_end_name, make_front_end
from serbench.running.plan.names import method_spec, own_sets
from serbench.running.plan.records import Candidate, MethodPlan, RunPlan
from serbench.running.plan.request import Request
from serbench.running.plan.search import resolve_search, trials_of
from serbench.running.plan.sets import (
    SETTING_ROOTS,
    Keys,
    below,
    check_roots,
    check_used,
    parse_set,
)
from serbench.running.registry.lookup import Registry
from serbench.running.registry.schema import MethodSpec, wrong_loss
from serbench.running.registry.suites import suite_method
from serbench.running.registry.validate import Values, lay_over, validate
from serbench.settings import MethodSettings, ProtocolSettings

log = logging.getLogger(__name__)

CANARY = "canary"
"""Name of the profile for training on permuted labels."""

BACKEND = "torch"
"""Name of the backend of all scores; a deployment table compares other backends with it."""


def plan_run(registry: Registry, request: Request) -> RunPlan:
    """Resolve every name and setting of a request.

    Raises:
        RegistryError: an unknown name, or a setting that does not exist or does not fit.
    """
    sets = [parse_set(text) for text in request.sets]
    check_roots(sets, request.methods)
    dataset = plan_dataset(
        registry, request.dataset, request.train, request.labels, below(sets, "corpus"),
        request.subset,
    )  # fmt: skip
    protocol = _protocol(registry, request)
    names = tuple(dict.fromkeys(request.methods))
    if not names:
        raise RegistryError(f"name at least one method: {', '.join(registry.methods)}")
    methods = tuple(plan_method(registry, request, name) for name in names)
    check_used(sets, methods)
    audio = _pretrain_audio(request.pretrain_audio, methods)
    teachers = _teachers(registry, request, dataset, methods, below(sets, "teacher"))
    canary = None
    if protocol.canary:
        canary = plan_run(registry, replace(request, profile=CANARY, sets=_cheap(request.sets)))
    return RunPlan(
        dataset=dataset,
        folds=_folds(dataset, protocol),
        protocol=protocol,
        profile=request.profile,
        methods=methods,
        teachers=teachers,
        backend=registry.make("backends", BACKEND),
        pretrain_audio=audio,
        canary=canary,
    )


def _protocol(registry: Registry, request: Request) -> ProtocolSettings:
    sets = below([parse_set(text) for text in request.sets], "protocol")
    profile = registry.profile(request.profile)
    protocol = validate(ProtocolSettings, lay_over(profile.protocol, sets), "protocol")
    return resolve_search(registry, profile, protocol)


def plan_method(registry: Registry, request: Request, name: str) -> MethodPlan:
    """One method of a request.

    Raises:
        RegistryError: as ``plan_run``.
        TeacherError: its front end depends on weights that are not available.
    """
    spec = method_spec(registry, name)
    if name in request.changes:
        spec = suite_method(spec, request.changes[name])
    profile = registry.profile(request.profile)
    settings = lay_over(profile.settings, spec.profiles.get(request.profile, {}))
    sets = [parse_set(text) for text in request.sets]
    protocol = _protocol(registry, request)
    method, decided = _method(registry, name, spec, settings, protocol, sets)
    trials = trials_of(name, spec, profile, protocol, len(method.candidates), decided)
    return replace(method, trials=trials)


def _folds(dataset: DatasetPlan, protocol: ProtocolSettings) -> str:
    """
    Raises:
        RegistryError: ``protocol.folds`` is set although the run trains on other corpora.
    """
    folds = protocol.folds or dataset.folds
    if dataset.training and (folds != OFFICIAL or protocol.leaky):
        what = f"protocol {protocol.name}" if protocol.leaky else f"protocol.folds = {folds}"
        raise RegistryError(
            f"{what}: a run that trains on other corpora has one fold, the tested corpus; leave "
            "it out"
        )
    return folds


def _cheap(sets: Sequence[str]) -> tuple[str, ...]:
    """``--set`` texts for a canary: those that set the length of training are removed, because the
    canary's profile sets it.
    """
    dropped = (
        ("training", "epochs"),
        ("protocol", "canary"),
        ("protocol", "search"),
        ("protocol", "trials"),
    )
    kept = [text for text in sets if parse_set(text)[0][-2:] not in dropped]
    return (*kept, "protocol.canary=0")


def _method(
    registry: Registry,
    name: str,
    spec: MethodSpec,
    profile: Mapping[str, object],
    protocol: ProtocolSettings,
    sets: Sequence[tuple[Keys, object]],
) -> tuple[MethodPlan, set[str]]:
    """A method with its settings merged in order and its grid expanded, and the paths
    that are set.
    """
    own = own_sets(registry, name, sets)
    shared = [(path, value) for path, value in sets if path[0] not in {"methods", "protocol"}]
    settings: Values = lay_over(spec.settings, profile)
    for root in SETTING_ROOTS:
        for asked in (shared, own):
            settings = lay_over(settings, {root: below(asked, root)})
    student = registry.make("students", spec.student)
    if wrong := wrong_loss(type(student), spec.student, spec.loss):
        raise RegistryError(f"methods.{name}: {wrong}")
    named: list[tuple[str, Student | Loss, Mapping[str, object]]] = [
        ("student", student, spec.student_params)
    ]
    if spec.loss:
        named.append(("loss", registry.make("losses", spec.loss), spec.loss_params))
    parts: dict[str, Values] = {}
    for kind, plugin, base in named:
        fields = type(plugin).Params.model_fields
        fitting = {k: v for k, v in below(shared, kind).items() if k in fields}
        parts[kind] = lay_over(lay_over(base, fitting), below(own, kind))
    grid = spec.grids.get(protocol.grid, {}) if protocol.grid else {}
    # A setting that the user gives is fixed: it is no longer searched over.
    decided = {".".join(path) for path, _ in [*shared, *own]}
    grid = {path: values for path, values in grid.items() if path not in decided}
    candidates = tuple(
        _candidate(
            registry, name, spec, settings, parts, (shared, own),
            dict(zip(grid, values, strict=True)),
        )
        for values in itertools.product(*grid.values())
    )  # fmt: skip
    front_end = front_end_name(spec, candidates[0].student.hears)
    about = {"summary": spec.summary, "citation": spec.citation}
    plan = MethodPlan(name, spec.student, spec.loss or "", candidates, front_end, about)
    return plan, decided


def _candidate(
    registry: Registry,
    name: str,
    spec: MethodSpec,
    settings: Values,
    parts: Mapping[str, Values],
    sets: tuple[Sets, Sets],
    values: Mapping[str, object],
) -> Candidate:
    """The candidate of one grid point."""
    asked = [(tuple(path.split(".")), value) for path, value in values.items()]
    for root in SETTING_ROOTS:
        settings = lay_over(settings, {root: below(asked, root)})
    student = registry.make(
        "students", spec.student, lay_over(parts["student"], below(asked, "student"))
    )
    loss = None
    if spec.loss:
        loss = registry.make("losses", spec.loss, lay_over(parts["loss"], below(asked, "loss")))
    front_end = make_front_end(registry, name, spec, student, *sets, values)
    checked = validate(MethodSettings, settings, f"methods.{name}")
    if isinstance(student, Estimator):
        checked = MethodSettings()  # an estimator reads no settings
    named = checked.pretrain.objective
    objective = registry.make("losses", named) if named else None
    try:
        return Candidate(values, student, loss, front_end, checked, objective)
    except RegistryError as error:
        lines = [f"{name}: {line}" for line in str(error).splitlines()]
        raise RegistryError("\n".join(lines)) from error


def _pretrain_audio(folder: Path | None, methods: Sequence[MethodPlan]) -> Path | None:
    """The folder of unlabelled audio, after a check that it exists and that a method uses it.

    Raises:
        RegistryError: the folder does not exist, or no method uses it.
    """
    if folder is None:
        return None
    if not any(method.can_pretrain or method.hears_unlabelled for method in methods):
        raise RegistryError(
            "--pretrain-audio: no method of this run uses it: none has a pretrain.objective, a "
            "student that inherits weights, or a loss with unlabelled above 0. Use akd, set "
            "pretrain.objective=frames, or leave the option out"
        )
    folder = folder.expanduser()
    if not folder.is_dir():
        raise RegistryError(
            f"--pretrain-audio {folder}: no such folder; give a folder of speech recordings"
        )
    return folder


def _teachers(
    registry: Registry,
    request: Request,
    dataset: DatasetPlan,
    methods: Sequence[MethodPlan],
    overrides: Values,
) -> dict[str, Teacher]:
    """The run's teachers by name; none if no method uses one.

    Raises:
        RegistryError: an unknown teacher, a missing one, or an unused one.
    """
    hears = request.pretrain_audio is not None
    taught = [m.name for m in methods if m.uses_teachers or (hears and m.can_be_taught_before)]
    used = bool(taught)
    if not used and overrides:
        raise RegistryError(
            f"--set teacher.{next(iter(overrides))}: no method of this run learns from a teacher"
        )
    named = request.teachers or (dataset.teachers if used else ())
    if used and not named:
        raise RegistryError(
            f"{', '.join(taught)} needs a teacher, but dataset {dataset.parts[0].name} has no "
            f"default: give --teacher NAME_OR_FOLDER ({', '.join(registry.teachers)})"
        )
    teachers: dict[str, Teacher] = {}
    for text in dict.fromkeys(named):
        name, teacher = _teacher(registry, text, overrides)
        if name in teachers:
            raise RegistryError(
                f"--teacher {text}: another teacher of this run is also called {name}; rename "
                "the folder"
            )
        teachers[name] = teacher
    _check_chosen(methods, teachers if used and hears else None)
    if teachers and not used:
        log.warning(
            "no method of this run learns from a teacher: %s is not used", ", ".join(teachers)
        )
        return {}
    return teachers


def _check_chosen(methods: Sequence[MethodPlan], teachers: Mapping[str, Teacher] | None) -> None:
    """
    Raises:
        RegistryError: ``pretrain.teachers`` names a teacher that the run does not have.
    """
    chosen = [
        name
        for method in methods
        for candidate in method.candidates
        if candidate.objective
        for name in candidate.settings.pretrain.teachers
    ]
    if teachers is not None and (unknown := [name for name in chosen if name not in teachers]):
        raise RegistryError(
            f"pretrain.teachers: the run has no teacher {unknown[0]}; its teachers: "
            f"{', '.join(teachers)}"
        )


def _teacher(registry: Registry, name: str, overrides: Values) -> tuple[str, Teacher]:
    """A teacher of the registry, or the speech encoder in a folder, with the name that it has in
    the run.

    ``NAME@LAYER`` is another layer of the same encoder: several layers are several teachers.

    Raises:
        RegistryError: ``name`` is neither of them.
    """
    plain, at, layer = name.rpartition("@")
    if at and plain and not Path(name).is_dir() and name not in registry.teachers:
        chosen = int(layer) if layer.isdigit() else layer
        called, teacher = _teacher(registry, plain, lay_over(overrides, {"layer": chosen}))
        return f"{called}@{layer}", teacher
    if name in registry.teachers or not ("/" in name or Path(name).is_dir()):
        return name, registry.make("teachers", name, overrides)
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise RegistryError(
            f"--teacher {name}: no such folder; give a folder with config.json and weights, or "
            f"one of {', '.join(registry.teachers)}"
        )
    local = lay_over({"model": str(folder)}, overrides)
    made = registry.make("teachers", "speech-encoder", local)
    return folder.resolve().name, made
