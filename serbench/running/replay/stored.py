"""Restores the parts of a run from ``plan.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from serbench.api import Backend, FrontEnd, Loss, StoreError, Student, Teacher, TeacherCard
from serbench.api.json_text import first_problem
from serbench.api.offline import offline
from serbench.data.corpus.subset import Subset
from serbench.data.corpus.table import CorpusTable
from serbench.running.harness.inputs import load_dataset
from serbench.running.harness.observer import Observer
from serbench.running.plan.dataset import DatasetPlan, LabelMap, PlannedCorpus
from serbench.running.plan.records import Candidate
from serbench.running.plugins import Plugins
from serbench.running.registry.lookup import Registry
from serbench.running.registry.schema import DatasetSpec
from serbench.running.registry.validate import lay_over, validate
from serbench.running.replay.local import local_corpus, local_teacher
from serbench.running.store.run import RunStore
from serbench.settings import MethodSettings, ProtocolSettings

Json = Mapping[str, Any]

PARTS = (
    "dataset", "folds", "protocol", "profile", "backend", "teachers", "methods", "pretrain_audio",
    "canary",
)  # fmt: skip
"""Keys of ``plan.json`` that ``RunPlan.describe`` writes."""

DATASET_KEYS = ("name", "corpus", "params", "evaluated", "training", "label_map", "subset")
"""Those keys that ``dataset`` contains; a whole corpus with its own labels lacks the last four."""

ADDED = ("ablation", "suite")
"""Keys that ``RunPlan.describe`` writes for an ablation or a suite only."""

NEEDED = frozenset({*PARTS, "cards", "code", "device"})
"""Keys of ``plan.json`` that a run needs to be recomputed."""

NEEDED_OF_METHODS = frozenset(
    {"student_plugin", "student_params", "loss_plugin", "loss_params", "settings", "candidates"}
) | {"front_end_plugin", "front_end_params", "teachers", "pretrained"}
"""Keys that a run needs of each method in ``plan.json`` to be recomputed."""


@dataclass(frozen=True)
class StoredPlan:
    """A stored plan, with everything needed to make its parts.

    Attributes:
        plugins: the installed plugins.
        registry: registry with the locations of corpora and teachers, which the plan
            does not contain.
    """

    plan: Json
    plugins: Plugins
    registry: Registry

    @classmethod
    def read(cls, store: RunStore, plugins: Plugins, registry: Registry) -> StoredPlan:
        """
        Raises:
            StoreError: no run is in the folder, or its plan was written by a version that stored
                too little.
        """
        store.check()
        plan = store.plan()
        whole = plan.keys() >= NEEDED and plan["dataset"].keys() >= {"params", "corpus"}
        whole = whole and plan["backend"] is not None
        if not whole or not all(each.keys() >= NEEDED_OF_METHODS for each in plan["methods"]):
            raise StoreError(
                f"{store.folder} was written by serbench {plan.get('serbench_version')}, whose "
                "plan.json lacks parts that are needed to recompute it"
            )
        return cls(plan, plugins, registry)

    @property
    def dataset(self) -> str:
        """The dataset's name."""
        return str(self.plan["dataset"]["name"])

    @property
    def protocol(self) -> ProtocolSettings:
        """The protocol's settings."""
        return validate(ProtocolSettings, self.plan["protocol"], "plan.json: protocol")

    def description(self) -> dict[str, Any]:
        """The plan as written by ``RunPlan.describe``, for its digest."""
        whole = self.plan["dataset"]
        dataset = {key: whole[key] for key in DATASET_KEYS if key in whole}
        parts = (*PARTS, *(key for key in ADDED if key in self.plan))
        return {**{key: self.plan[key] for key in parts}, "dataset": dataset}

    @property
    def evaluated(self) -> str:
        """The dataset that was tested; with a label map, the whole dataset."""
        return str(self.plan["dataset"].get("evaluated", self.dataset))

    def dataset_plan(self) -> DatasetPlan:
        """The corpora of the run and their classes; sources and folders come from the registry.

        Raises:
            StoreError, PluginError: as ``local_corpus``.
        """
        entry = self.plan["dataset"]
        labels = entry.get("label_map")
        return DatasetPlan(
            self._part({**entry, "name": self.evaluated}),
            tuple(self._part(part) for part in entry.get("training", ())),
            LabelMap(labels["name"], labels["map"]) if labels else None,
            Subset.of(entry.get("subset")),
        )

    def _part(self, entry: Json) -> PlannedCorpus:
        name = str(entry["name"])
        corpus = local_corpus(self.registry, self.plugins, entry)
        spec = self.registry.datasets.get(name) or DatasetSpec(corpus=corpus.name)
        return PlannedCorpus(name, spec, corpus)

    def backend(self) -> Backend:
        """The backend of the scores."""
        entry = self.plan["backend"]
        return self._plugin("backends", entry["name"], entry["params"])

    def teacher(self, name: str) -> Teacher:
        """The plugin of a teacher of the run, not loaded yet; its weights come from the registry.

        Raises:
            StoreError: the run has no such teacher; or as ``local_teacher``.
        """
        entry = self.plan["teachers"].get(name)
        if entry is None:
            there = ", ".join(self.plan["teachers"]) or "none"
            raise StoreError(f"the run has no teacher {name}; its teachers: {there}")
        return local_teacher(self.registry, self.plugins, name, entry)

    def cards(self) -> dict[str, TeacherCard]:
        """The teachers' cards at the time of the run."""
        return self._cards("cards")

    def inherited(self) -> dict[str, TeacherCard]:
        """Cards of the models that students inherit from, at the time of the run."""
        return self._cards("inherited")

    def heard(self) -> dict[str, TeacherCard]:
        """Cards of the models that front ends run, at the time of the run."""
        return self._cards("heard")

    def _cards(self, key: str) -> dict[str, TeacherCard]:
        try:
            return {name: _card(card) for name, card in self.plan.get(key, {}).items()}
        except TypeError as error:
            raise StoreError(f"plan.json: a card in {key} has other entries: {error}") from error

    def candidate(self, method: Json, values: Json) -> Candidate:
        """A method's candidate that has these values of the grid."""
        tables: dict[str, Any] = {
            "student": method["student_params"], "loss": method["loss_params"],
            "front_end": method["front_end_params"], "settings": method["settings"],
        }  # fmt: skip
        for path, value in values.items():
            keys = path.split(".")
            if keys[0] not in ("student", "loss", "front_end"):
                keys = ["settings", *keys]
            nested: Any = value
            for key in reversed(keys):
                nested = {key: nested}
            tables = lay_over(tables, nested)
        student: Student = self._plugin("students", method["student_plugin"], tables["student"])
        loss: Loss | None = None
        if method["loss_plugin"]:
            loss = self._plugin("losses", method["loss_plugin"], tables["loss"])
        front_end: FrontEnd = self._plugin(
            "front_ends", method["front_end_plugin"], tables["front_end"]
        )
        settings = validate(MethodSettings, tables["settings"], f"methods.{method['name']}")
        objective = self._objective(method, settings)
        return Candidate(values, student, loss, front_end, settings, objective)

    def _objective(self, method: Json, settings: MethodSettings) -> Loss | None:
        """A method's pretraining objective, or None; it is made only if the settings of this grid
        point use one.
        """
        entry = method.get("objective")
        if entry is None or settings.pretrain.objective is None:
            return None
        return self._plugin("losses", entry["name"], entry["params"])

    def _plugin(self, kind: str, name: str, params: Json) -> Any:
        cls = self.plugins.get(kind, name)
        try:
            return cls(cls.Params.model_validate(params))  # pyright: ignore[reportAttributeAccessIssue]
        except ValidationError as error:
            raise StoreError(
                f"plan.json: {name} as installed here does not accept {first_problem(error)}"
            ) from error


def _card(entries: Json) -> TeacherCard:
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entries.items()}
    return TeacherCard(**plain)


def fold_source(plan: Json, folder: Path) -> str:
    """The folds of a plan; those of a fold file are stored in the run's own folder."""
    folds = str(plan["folds"])
    named_file = folds.lower().endswith(".csv") or "/" in folds or "\\" in folds
    return str(folder / "utterances.csv") if named_file else folds


def read_corpus(
    stored: StoredPlan,
    data_dir: Path | None,
    cache: Path,
    watch: Observer,
    audio_cache: Path | None = None,
) -> CorpusTable:
    """The corpus of a run, or its combination of several. Nothing is downloaded or built.

    Args:
        stored: the run's plan.
        data_dir: the corpus's folder, if ``locate`` does not find it; for several corpora, a folder
            with one folder each.
        cache: with downloaded corpora.
        watch: receives progress.
        audio_cache: cache of facts about audio files that were read before; by default the
            cache of runs.

    Raises:
        CorpusError: the corpus is not on this machine, or cannot be read.
        StoreError: as ``StoredPlan.dataset_plan``.
        PluginError: its plugin is not installed.
    """
    with offline():
        return load_dataset(
            stored.dataset_plan(),
            data_dir,
            cache,
            watch,
            allow_incomplete=True,
            audio_cache=audio_cache,
        )
