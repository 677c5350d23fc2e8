"""``results.json``: everything that was measured, here or on another device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from serbench.api import StoreError
from serbench.api.json_text import read_json, read_model
from serbench.files.atomic import json_bytes

SCHEMA_VERSION = 1
KIND = "serbench deploy"
FILE = "results.json"

Seconds = Annotated[float, Field(ge=0)]
Calls = Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]


class FilePart(BaseModel):
    """A part of the file: no key may be missing, unknown or of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Effort(FilePart):
    """How much is measured in one round of one backend."""

    lengths_s: Annotated[list[Annotated[float, Field(ge=0.1)]], Field(min_length=1)]
    """Lengths of audio for batch-1 latencies, in seconds; ``window_s`` is among them."""
    window_s: Annotated[float, Field(ge=0.1)]
    """Length of audio for throughput."""
    batches: list[Annotated[int, Field(ge=2)]]
    """Batch sizes that are tried besides 1."""
    warm_up_calls: Annotated[int, Field(ge=1)]
    warm_up_s: Seconds
    budget_s: Seconds
    """Time for the calls of one length or batch size."""
    least_calls: Annotated[int, Field(ge=1)]
    most_calls: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _hears_a_window(self) -> Effort:
        if self.window_s not in self.lengths_s:
            msg = f"window_s = {self.window_s:g} is not among lengths_s"
            raise ValueError(msg)
        return self


class DeploySettings(FilePart):
    """How the results were measured."""

    threads: Annotated[int, Field(ge=1)]
    rounds: Annotated[int, Field(ge=0)]
    effort: Effort


class RunFacts(FilePart):
    """The run and the model that were measured."""

    name: str
    plan_digest: str
    certificate_digest: str
    dataset: str
    method: str
    seed: int
    model: str
    """The model of outer fold 1, whose times are measured."""
    weights_sha256: str


class Machine(FilePart):
    """The machine that the results were measured on."""

    name: Annotated[str, Field(min_length=1)]
    cpu: str
    cores: Annotated[int, Field(ge=1)]
    usable_cores: Annotated[int, Field(ge=1)]
    memory_bytes: int | None
    system: str
    python: str
    packages: dict[str, str]
    governor: str | None
    load_start: list[float] | None
    load_end: list[float] | None
    pinned: bool
    date: str


class Round(FilePart):
    """A round of one backend in one process: seconds of each call, memory in bytes."""

    latency_s: dict[str, Calls]
    """Calls at batch 1, by seconds of audio."""
    batch_s: dict[str, Calls]
    """Calls by batch size."""
    stages_s: dict[Literal["python", "import", "open", "first call"], float]
    idle_bytes: int | None
    peak_bytes: int | None

    def latency_of(self, length_s: float) -> list[float]:
        """Seconds of each batch-1 call with audio of this length."""
        return self.latency_s[f"{length_s:g}"]


class Import(FilePart):
    """A process that only imported a module, once in each round."""

    seconds: Annotated[list[Seconds], Field(min_length=1)]
    peak_bytes: list[int | None]


def _as_now(verdict: object) -> object:
    """Translate a verdict to its present wording; files of earlier versions have other words."""
    before = {
        "better": "significantly better",
        "worse": "significantly worse",
        "cannot": "no significant difference",
    }
    return before.get(verdict.partition(" ")[0], verdict) if isinstance(verdict, str) else verdict


class BackendScore(FilePart):
    """Scores on the outer test sides, 0 … 1, and differences from the reference."""

    ua: float
    ua_low: float
    ua_high: float
    delta_ua: float | None
    delta_ua_low: float | None
    delta_ua_high: float | None
    verdict: Annotated[str, BeforeValidator(_as_now)]
    changed: int
    posterior_difference: float


class ResultRow(FilePart):
    """The results of one backend."""

    name: Annotated[str, Field(min_length=1)]
    plugin: str
    params: dict[str, object]
    precision: str
    device: Literal["cpu", "cuda"]
    provider: str | None = None
    """The provider of ONNX Runtime, on another device."""
    outcome: Literal["measured", "failed", "unavailable"]
    reason: str | None
    """Why the backend was not measured."""
    size_bytes: int | None
    accuracy: BackendScore | None
    probe_difference: float | None = None
    """Greatest difference of a posterior from the reference's on a bundle's synthetic probes."""
    rounds: list[Round]

    @model_validator(mode="after")
    def _says_why(self) -> ResultRow:
        if (self.outcome == "measured") == (self.reason is not None):
            msg = "a row has a reason where it was not measured, and only there"
            raise ValueError(msg)
        return self


class DeployResults(FilePart):
    """The content of ``results.json``."""

    kind: Literal["serbench deploy"]
    schema_version: Literal[1]
    run: RunFacts
    machine: Machine
    settings: DeploySettings
    reference: str
    """The row that ratios refer to."""
    rows: list[ResultRow]
    imports: dict[str, Import] = Field(default_factory=dict)
    """Imports by module, for comparison; other devices have none."""

    @model_validator(mode="after")
    def _is_whole(self) -> DeployResults:
        names = [row.name for row in self.rows]
        if len(set(names)) != len(names):
            msg = "two rows have one name"
            raise ValueError(msg)
        effort = self.settings.effort
        lengths = {f"{each:g}" for each in effort.lengths_s}
        batches = {str(each) for each in effort.batches}
        for row in self.rows:
            wanted = self.settings.rounds if row.outcome == "measured" else 0
            if len(row.rounds) != wanted:
                msg = f"{row.name} has {len(row.rounds)} rounds, not {wanted}"
                raise ValueError(msg)
            for found in row.rounds:
                if set(found.latency_s) != lengths or set(found.batch_s) != batches:
                    msg = f"{row.name} was measured with other lengths or batches than settings say"
                    raise ValueError(msg)
                if set(found.stages_s) != {"python", "import", "open", "first call"}:
                    msg = f"{row.name} lacks a stage of its start"
                    raise ValueError(msg)
        return self


def results_text(results: DeployResults) -> str:
    """The text of the file."""
    return json_bytes(results.model_dump(mode="json"), FILE).decode()


def read_results(path: Path, run: RunFacts) -> DeployResults:
    """Results of another device, for the models of ``run``.

    Raises:
        StoreError: see ``load_results``, or the results are of another model.
    """
    results = load_results(path)
    if results.run.weights_sha256 != run.weights_sha256:
        raise StoreError(
            f"{path} was measured with {results.run.model} of {results.run.name}, "
            f"which is another model than {run.model} of {run.name}; make a bundle of this run, "
            "or give the --method and --seed of the other model"
        )
    return results


def load_results(path: Path) -> DeployResults:
    """Read the results of any model.

    Raises:
        StoreError: the file does not exist, is no such file, is damaged, or is of another version;
            the message says which.
    """
    try:
        text = path.read_bytes()
        content = read_json(text)
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise StoreError(f"{path} is not JSON ({error}); copy it again") from error
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise StoreError(f"{path} is not a results.json of measure.py or of serbench deploy")
    if content.get("schema_version") != SCHEMA_VERSION:
        raise StoreError(
            f"{path} has schema version {content.get('schema_version')}, but this version of "
            f"serbench reads {SCHEMA_VERSION}; make the bundle and measure with the same version"
        )
    try:
        return read_model(DeployResults, text)
    except ValueError as error:
        raise StoreError(f"{path} is damaged: {error}") from error
