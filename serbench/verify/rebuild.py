"""From ``plan.json`` back to what a run was made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from serbench.api import Backend, Corpus, Loss, StoreError, Student, TeacherCard
from serbench.plan import Candidate
from serbench.plugins import Plugins
from serbench.registry import lay_over, validate
from serbench.settings import MethodSettings, ProtocolSettings

Json = Mapping[str, Any]

PARTS = ("dataset", "folds", "protocol", "profile", "backend", "teachers", "methods", "canary")
"""Keys of ``plan.json`` that ``RunPlan.describe`` gives."""


@dataclass(frozen=True)
class Stored:
    """A stored plan, and the plugins that it names."""

    plan: Json
    plugins: Plugins

    @property
    def dataset(self) -> str:
        """The dataset's name."""
        return str(self.plan["dataset"]["name"])

    @property
    def protocol(self) -> ProtocolSettings:
        """The protocol's settings."""
        return validate(ProtocolSettings, self.plan["protocol"], "plan.json: protocol")

    def description(self) -> dict[str, Any]:
        """The plan as ``RunPlan.describe`` gave it, for its digest."""
        dataset = {key: self.plan["dataset"][key] for key in ("name", "corpus", "params")}
        return {**{key: self.plan[key] for key in PARTS}, "dataset": dataset}

    def corpus(self) -> Corpus:
        """The corpus plugin."""
        entry = self.plan["dataset"]
        return self._plugin("corpora", entry["corpus"], entry["params"])

    def backend(self) -> Backend:
        """The backend that the scores were taken through."""
        entry = self.plan["backend"]
        return self._plugin("backends", entry["name"], entry["params"])

    def cards(self) -> dict[str, TeacherCard]:
        """What the teachers declared when they were run."""
        try:
            return {name: _card(card) for name, card in self.plan["cards"].items()}
        except TypeError as error:
            raise StoreError(f"plan.json: a teacher's card has other entries: {error}") from error

    def candidate(self, method: Json, values: Json) -> Candidate:
        """A method's candidate, given what the grid sets."""
        tables: dict[str, Any] = {
            "student": method["student_params"], "loss": method["loss_params"],
            "settings": method["settings"],
        }  # fmt: skip
        for path, value in values.items():
            keys = path.split(".")
            if keys[0] not in ("student", "loss"):
                keys = ["settings", *keys]
            nested: Any = value
            for key in reversed(keys):
                nested = {key: nested}
            tables = lay_over(tables, nested)
        student: Student = self._plugin("students", method["student_plugin"], tables["student"])
        loss: Loss = self._plugin("losses", method["loss_plugin"], tables["loss"])
        settings = validate(MethodSettings, tables["settings"], f"methods.{method['name']}")
        return Candidate(values, student, loss, settings)

    def _plugin(self, kind: str, name: str, params: Json) -> Any:
        cls = self.plugins.get(kind, name)
        try:
            return cls(cls.Params.model_validate(params))  # pyright: ignore[reportAttributeAccessIssue]
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise StoreError(
                f"plan.json: {name} as it is installed here does not take {where}: {first['msg']}"
            ) from error


def _card(entries: Json) -> TeacherCard:
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entries.items()}
    return TeacherCard(**plain)


def fold_source(plan: Json, folder: Path) -> str:
    """The folds that a plan names; those of a fold file are kept in the run's own folder."""
    folds = str(plan["folds"])
    named_file = folds.lower().endswith(".csv") or "/" in folds or "\\" in folds
    return str(folder / "utterances.csv") if named_file else folds
