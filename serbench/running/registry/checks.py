"""The second stage of checks: every entry must fit the plugins and other entries that it names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import BaseModel

from serbench.api.corpus import Corpus
from serbench.api.estimator import Estimator
from serbench.api.front_end import Hears
from serbench.api.student import Student
from serbench.errors import did_you_mean, listed
from serbench.files.paths import is_file
from serbench.protocol.spelling import lonely
from serbench.running.plugins import SINGULAR, Plugins, see_list
from serbench.running.registry.ablations import row_method
from serbench.running.registry.aliases import shared
from serbench.running.registry.grids import grid_problems
from serbench.running.registry.lookup import plugin_class
from serbench.running.registry.schema import (
    AblationSpec,
    DatasetSpec,
    LabelsSpec,
    MethodSpec,
    PluginSpec,
    ProfileSpec,
    RowSpec,
    Spec,
    SuiteSpec,
    wrong_loss,
)
from serbench.running.registry.suites import suite_problems
from serbench.running.registry.validate import Problem, lay_over, problems, validate
from serbench.settings import STRATEGIES, MethodSettings, ProtocolSettings

FOLDS_OF_ANY_CORPUS = ("loso", "kfold", "official")

SHARED_LABELS = "shared"
"""The default label map of a run over several corpora: the classes that all corpora have."""

FILE_NAME = re.compile(r"[A-Za-z0-9_-]+")
"""Pattern of names that become parts of a file's or folder's name."""

NO_TRACKER = "none"
"""Value of ``--tracker`` for no tracker."""

TEACHERS = "teacher"
"""Prefix of a teacher's own head in tables, just as an ablation's name is the prefix of a row."""


@dataclass(frozen=True)
class Checker:
    """Checks entries that fit the core schema.

    Attributes:
        entries: all such entries, by table and name.
        names: of all entries, also of those that do not fit, so that a mistake is reported once.
    """

    plugins: Plugins
    entries: Mapping[str, Mapping[str, Spec]]
    names: Mapping[str, Iterable[str]]

    def problems(self) -> Iterator[Problem]:
        """All problems of all entries."""
        aliases = {
            name: spec.aliases
            for name, spec in self.entries["datasets"].items()
            if isinstance(spec, DatasetSpec)
        }
        for name, alias, other in shared(aliases):
            yield Problem(("datasets", name, "aliases"), f"{alias!r} is also an alias of {other}")
        for table, entries in self.entries.items():
            for name, spec in entries.items():
                at = (table, name)
                match spec:
                    case DatasetSpec():
                        yield from self._dataset(at, spec)
                    case LabelsSpec():
                        yield from _label_map(at)
                    case PluginSpec():
                        if at == ("trackers", NO_TRACKER):
                            yield Problem(at, "--tracker none means no tracker at all")
                        yield from self._params(table, spec.plugin, spec.params, at, "plugin")
                    case MethodSpec():
                        yield from self._method(at, spec)
                    case ProfileSpec():
                        yield from self._profile(at, spec)
                    case AblationSpec():
                        yield from self._ablation(at, spec)
                    case SuiteSpec():
                        methods = self.entries["methods"]
                        yield from suite_problems(at, spec, self.names, methods, self._changed)

    def _params(
        self,
        kind: str,
        plugin: str,
        params: Mapping[str, object],
        at: tuple[str, ...],
        key: str,
    ) -> Iterator[Problem]:
        """Problems with a plugin that must exist and accept these parameters."""
        model = self._model(kind, plugin)
        if model is None:
            known = [provided.name for provided in self.plugins.items(kind)]
            message = f"no {SINGULAR[kind]} plugin is called {plugin!r}"
            yield self._unknown((*at, key), message + did_you_mean(plugin, known, see_list(kind)))
        else:
            yield from problems(model, params, (*at, "params"))

    def _unknown(self, at: tuple[str, ...], message: str) -> Problem:
        """A problem with an unknown name, which may belong to a plugin that failed to load."""
        return Problem(at, message, on_use=bool(self.plugins.failed))

    def _model(self, kind: str, plugin: str) -> type[BaseModel] | None:
        classes = {provided.name: provided.cls for provided in self.plugins.items(kind)}
        return getattr(classes.get(plugin), "Params", None)

    def _dataset(self, at: tuple[str, ...], spec: DatasetSpec) -> Iterator[Problem]:
        found = list(self._params("corpora", spec.corpus, spec.params, at, "corpus"))
        yield from found
        if not found:
            yield from self._folds(at, spec)
        for teacher in spec.teachers:
            yield from self._reference((*at, "teachers"), "teachers", teacher)

    def _folds(self, at: tuple[str, ...], spec: DatasetSpec) -> Iterator[Problem]:
        cls = plugin_class(self.plugins, "corpora", spec.corpus)
        params = validate(cls.Params, spec.params, ".".join(at))
        try:
            corpus = cast("Corpus", cls(params))
            known = {*corpus.card.fold_sets, *FOLDS_OF_ANY_CORPUS}
            alone = {kind: lonely(names) for kind, names in corpus.card.different.items()}
        except Exception as error:  # a card in other people's code may raise anything
            message = f"its card fails: {type(error).__name__}: {error}"
            yield Problem((*at, "corpus"), message, on_use=True)
            return
        for kind, names in alone.items():
            if names:
                message = (
                    f"{listed(map(repr, names))}: no other name in the list is spelled like this"
                )
                yield Problem((*at, "params", "card", "different", kind), message)
        if spec.folds in known or is_file(Path(spec.folds)):
            return
        if "/" in spec.folds or spec.folds.endswith(".csv"):
            yield Problem((*at, "folds"), f"no fold file {spec.folds}")
        else:
            message = f"no folds are called {spec.folds!r}{did_you_mean(spec.folds, known)}"
            yield Problem((*at, "folds"), f"{message} (or give a CSV fold file)")

    def _reference(self, at: tuple[str, ...], kind: str, name: str) -> Iterator[Problem]:
        """A problem unless ``name`` is an entry of that table, or a plugin of that kind."""
        known = {*self.names[kind], *(provided.name for provided in self.plugins.items(kind))}
        if name not in known:
            near = did_you_mean(name, known, see_list(kind))
            message = f"nothing in [{kind}] is called {name!r}{near}"
            yield self._unknown(at, message)

    def _method(self, at: tuple[str, ...], spec: MethodSpec) -> Iterator[Problem]:
        yield from self._reference((*at, "student"), "students", spec.student)
        if spec.loss is not None:
            yield from self._reference((*at, "loss"), "losses", spec.loss)
        yield from self._loss(at, spec)
        schemas: dict[str, tuple[type[BaseModel], dict[str, object]]] = {}
        for part, kind, name, params in (
            ("student", "students", spec.student, spec.student_params),
            ("loss", "losses", spec.loss, spec.loss_params),
        ):
            schema = self._schema(kind, name) if name else None
            if schema is not None:
                model, own = schema
                values = lay_over(own, params)
                schemas[part] = (model, values)
                if not problems(model, own, ()):
                    yield from problems(model, values, (*at, f"{part}_params"))
        yield from self._front_end(at, spec, schemas)
        wrong = problems(MethodSettings, spec.settings, (*at, "settings"))
        yield from wrong
        objective = None if wrong else _objective(spec, at)
        if objective:
            place = (*at, "settings", "pretrain", "objective")
            yield from self._reference(place, "losses", objective)
        for field in MethodSettings.model_fields:
            schemas[field] = (MethodSettings, dict(spec.settings))
        for profile, settings in spec.profiles.items():
            place = (*at, "profiles", profile)
            if profile not in self.names["profiles"]:
                known = self.names["profiles"]
                message = f"no profile is called {profile!r}{did_you_mean(profile, known)}"
                yield Problem(place, message)
            yield from problems(MethodSettings, settings, place)
        for grid, axes in spec.grids.items():
            if grid in STRATEGIES:
                message = (
                    f"{grid!r} is the name of a search (protocol.search = {grid}); give the grid "
                    "another name"
                )
                yield Problem((*at, "grids", grid), message)
            for path, candidates in axes.items():
                yield from grid_problems((*at, "grids", grid, path), path, candidates, schemas)

    def _front_end(
        self,
        at: tuple[str, ...],
        spec: MethodSpec,
        schemas: dict[str, tuple[type[BaseModel], dict[str, object]]],
    ) -> Iterator[Problem]:
        """Problems with the front end, which must exist and accept the method's parameters."""
        axes = {path for grid in spec.grids.values() for path in grid}
        used = spec.front_end_params or any(path.startswith("front_end.") for path in axes)
        if spec.front_end is not None:
            yield from self._reference((*at, "front_end"), "front_ends", spec.front_end)
        # A student is made only if necessary: its input may depend on a model's config.
        elif not used:
            return
        hears = self._hears(spec)
        name = spec.front_end or (hears.front_end if hears else None)
        schema = self._schema("front_ends", name) if name else None
        if schema is None:
            return
        model, values = schema
        if hears and hears.front_end == name:
            values = lay_over(values, hears.params)
        own = lay_over(values, spec.front_end_params)
        schemas["front_end"] = (model, own)
        if not problems(model, values, ()):
            yield from problems(model, own, (*at, "front_end_params"))

    def _hears(self, spec: MethodSpec) -> Hears | None:
        """The front end that a method's student asks for; None if that depends on weights."""
        entry = self.entries["students"].get(spec.student)
        plugin = entry.plugin if isinstance(entry, PluginSpec) else spec.student
        own = entry.params if isinstance(entry, PluginSpec) else {}
        try:
            cls = plugin_class(self.plugins, "students", plugin)
            params = validate(cls.Params, lay_over(own, spec.student_params), "")
            return cast("Student", cls(params)).hears
        except Exception:  # reported at the student's entry, or when it is used
            return None

    def _loss(self, at: tuple[str, ...], spec: MethodSpec) -> Iterator[Problem]:
        """Problems with the loss: an estimator has no loss and no settings, and every network
        has a loss.
        """
        entry = self.entries["students"].get(spec.student)
        plugin = entry.plugin if isinstance(entry, PluginSpec) else spec.student
        classes = {each.name: each.cls for each in self.plugins.items("students")}
        if plugin not in classes:
            return
        if wrong := wrong_loss(classes[plugin], spec.student, spec.loss):
            yield Problem((*at, "loss"), wrong)
        if issubclass(classes[plugin], Estimator) and (spec.settings or spec.profiles):
            message = (
                f"student {spec.student} is an estimator, which has none of these; leave them out"
            )
            yield Problem((*at, "settings"), message)

    def _schema(self, kind: str, name: str) -> tuple[type[BaseModel], Mapping[str, object]] | None:
        """The Params model behind an entry or plugin name, and the entry's own params.

        None if the plugin is unknown, which is reported at the entry or the reference.
        """
        entry = self.entries[kind].get(name)
        if isinstance(entry, PluginSpec):
            model = self._model(kind, entry.plugin)
            return (model, entry.params) if model else None
        model = self._model(kind, name)
        return (model, {}) if model else None

    def _profile(self, at: tuple[str, ...], spec: ProfileSpec) -> Iterator[Problem]:
        yield from problems(MethodSettings, spec.settings, (*at, "settings"))
        found = problems(ProtocolSettings, spec.protocol, (*at, "protocol"))
        yield from found
        search = None if found else ProtocolSettings.model_validate(dict(spec.protocol)).grid
        methods = (m for m in self.entries["methods"].values() if isinstance(m, MethodSpec))
        grids = {grid for method in methods for grid in method.grids}
        if search and search not in grids:
            message = f"no method has a grid called {search!r}{did_you_mean(search, grids)}"
            yield Problem((*at, "protocol", "search"), message)

    def _ablation(self, at: tuple[str, ...], spec: AblationSpec) -> Iterator[Problem]:
        if at[-1] == TEACHERS:
            yield Problem(at, f"{TEACHERS!r} cannot be the name of an ablation: results use it")
        name = spec.method or at[-1]
        yield from self._method_name(at if spec.method is None else (*at, "method"), name)
        full = self.entries["methods"].get(name)
        counts = Counter(row for part in spec.parts.values() for row in part.rows)
        if not counts:
            yield Problem((*at, "parts"), "has no rows")
        for part, content in spec.parts.items():
            for row, described in content.rows.items():
                place = (*at, "parts", part, "rows", row)
                if counts[row] > 1:
                    yield Problem(place, f"{counts[row]} rows have the name {row!r}")
                if not FILE_NAME.fullmatch(row):
                    message = (
                        "a row's name consists of letters, digits, - and _: it becomes part of "
                        "file names"
                    )
                    yield Problem(place, message)
                yield from self._row(place, described, full)

    def _row(self, at: tuple[str, ...], row: RowSpec, full: Spec | None) -> Iterator[Problem]:
        """Problems with a row: its method must exist, or its changes must fit the full method.

        Problems of the full method itself are reported at its own entry.
        """
        if row.method is not None:
            yield from self._method_name((*at, "method"), row.method)
        if row.varies and isinstance(full, MethodSpec):
            yield from self._changed(at, full, row_method(full, row))

    def _changed(self, at: tuple[str, ...], full: MethodSpec, own: MethodSpec) -> Iterator[Problem]:
        """Problems of a changed method that the original method does not have."""
        before = {(each.path, each.message) for each in self._method(at, full)}
        for problem in self._method(at, own):
            if (problem.path, problem.message) not in before:
                yield problem

    def _method_name(self, at: tuple[str, ...], name: str) -> Iterator[Problem]:
        known = self.names["methods"]
        if name not in known:
            near = did_you_mean(name, known, see_list("methods"))
            yield Problem(at, f"no method is called {name!r}{near}")


def _objective(spec: MethodSpec, at: tuple[str, ...]) -> str | None:
    """The loss that a method is pretrained with."""
    return validate(MethodSettings, spec.settings, ".".join(at)).pretrain.objective


def _label_map(at: tuple[str, ...]) -> Iterator[Problem]:
    """Problems with a label map's name, which becomes part of the names of run folders."""
    if at[-1] == SHARED_LABELS:
        yield Problem(at, f"{SHARED_LABELS!r} means the classes that several corpora share")
    if not FILE_NAME.fullmatch(at[-1]):
        yield Problem(
            at,
            "a label map's name consists of letters, digits, - and _: it becomes part of "
            "folder names",
        )
