"""Schemas of the JSON files of a run folder, checked once, when they are read.

A run folder may come from someone else. Content that does not fit is refused here, with the file
and the place, so that code that reads a run can rely on the schema. Parts may be missing because an
older version wrote the run; code that needs them reports this. Unknown entries are kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from serbench.api.json_text import first_problem, read_object
from serbench.errors import StoreError

Json = dict[str, Any]  # contents of JSON objects are not typed any further

Count = Annotated[int, Field(ge=0)]
Place = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]
Duration = Annotated[float, Field(ge=0, le=1e12)]
Object = dict[str, JsonValue]


class Part(BaseModel):
    """A part of a file: types are enforced, unknown entries are kept."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class Planned(Part):
    """A plugin and its parameters."""

    name: Text
    params: Object


class PlannedTeacher(Part):
    """A teacher's plugin and its parameters."""

    plugin: Text
    params: Object


class Trained(Part):
    """A corpus that the run trains on, instead of the corpus that it tests."""

    name: Text
    corpus: Text
    params: Object


class Labels(Part):
    """A label map."""

    name: Text
    map: dict[str, Text]


class Dataset(Part):
    """The data that a run trains and tests on."""

    name: Text
    labels: Annotated[list[Text], Field(min_length=2)]
    corpus_digest: str
    utterances: Count
    corpus: str = ""
    title: str = ""
    evaluated: str = ""
    params: Object = {}
    training: list[Trained] = []
    label_map: Labels | None = None

    @model_validator(mode="after")
    def _distinct(self) -> Dataset:
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("a label occurs twice")
        return self


class Method(Part):
    """A planned method, resolved."""

    name: Text
    student: str
    loss: str
    teachers: list[Text] = []
    needs: list[str] | None = None
    pretrained: bool = False
    inherits: list[str] = []
    student_plugin: str = ""
    student_params: Object = {}
    loss_plugin: str = ""
    loss_params: Object = {}
    front_end: str = ""
    front_end_plugin: str = ""
    front_end_params: Object = {}
    settings: dict[str, Object] = {}
    objective: Planned | None = None
    candidates: Annotated[list[Object], Field(min_length=1)] = [{}]
    trials: Count = 0


class Protocol(Part):
    """The protocol's settings. Code that uses them validates them itself."""

    name: Text


class Outer(Part):
    """An outer fold."""

    name: Text
    test_units: list[str]
    test_sets: dict[str, list[str]] = {}


class Plan(Part):
    """``plan.json``."""

    digest: str
    serbench_version: str
    dataset: Dataset
    folds: Text
    folds_digest: str
    protocol: Protocol
    profile: str
    methods: Annotated[list[Method], Field(min_length=1)]
    seeds: Annotated[list[Count], Field(min_length=1)]
    outer: Annotated[list[Outer], Field(min_length=1)]
    backend: Planned | None = None
    teachers: dict[str, PlannedTeacher] = {}
    model_digests: dict[str, str]
    about: Object = {}
    cards: dict[str, Object] = {}
    inherited: dict[str, Object] = {}
    heard: dict[str, Object] = {}
    code: dict[str, str] = {}
    arithmetic: Object = {}
    device: str = ""
    command: str
    pretrain_audio: Object | None = None
    canary: list[Method] = []

    @model_validator(mode="after")
    def _distinct(self) -> Plan:
        for what, names in (
            ("methods", [each.name for each in self.methods]),
            ("seeds", self.seeds),
            ("outer", [each.name for each in self.outer]),
        ):
            if len(set(names)) < len(names):
                raise ValueError(f"an entry of {what} occurs twice")
        return self


class Plugin(Part):
    """An installed plugin."""

    entry_point: str
    distribution: str
    version: str


class Environment(Part):
    """``environment.json``."""

    python: str = ""
    platform: str = ""
    cpu: str = ""
    cpus: Count | None = None
    gpus: list[str] = []
    torch_threads: Count = 0
    packages: dict[str, str] = {}
    plugins: list[Plugin] = []


class Timing(Part):
    """``timing.json``: seconds, and counts of fits and workers."""

    # This is the way that pydantic documents.
    __pydantic_extra__: dict[str, Duration]  # pyright: ignore[reportIncompatibleVariableOverride]


class Epoch(Part):
    """One epoch of a fit."""

    epoch: Count
    terms: dict[str, float] = {}
    validation_ua: float | None = None


class Fit(Part):
    """``fits/*.json``."""

    fit: Text
    method: Text
    outer: Place
    inner: Place | None
    seed: Count
    parameters: Count
    flops: Count = 0
    seconds: Duration
    epochs: Count
    step_seconds: Duration = 0
    values: Object
    history: list[Epoch] = []


class Stated(Part):
    """A file that states its digest; ``Certificate`` checks everything else in it."""

    digest: str | None = None


FILES: dict[str, type[Part]] = {
    "plan": Plan,
    "environment": Environment,
    "timing": Timing,
    "certificate": Stated,
}
"""Schema of each file, by the file's name without extension."""


def read_stored(path: Path, schema: type[Part]) -> Json:
    """A JSON file of a run folder that fits its schema.

    Raises:
        StoreError: it is missing, damaged, or does not fit; the message says where.
    """
    try:
        return checked(read_bytes(path), schema)
    except ValueError as error:
        raise damaged(path, error) from None


def checked(content: bytes, schema: type[Part]) -> Json:
    """The content of a file's JSON text.

    Raises:
        ValueError: it is not a JSON object, or does not fit; the message says where.
    """
    held = read_object(content)
    try:
        schema.model_validate(held)
    except ValidationError as error:
        raise ValueError(first_problem(error)) from None
    return held


def read_bytes(path: Path) -> bytes:
    """
    Raises:
        StoreError: the file is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise StoreError(f"{path.parent} has no {path.name}") from error
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error


def damaged(path: Path, error: Exception) -> StoreError:
    """An error for a damaged file of a run."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return StoreError(
        f"{path} is damaged ({reason}); remove it and run the same command again to make a new one"
    )
