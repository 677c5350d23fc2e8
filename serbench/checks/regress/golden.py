"""The golden file: the results that a run is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from serbench.api import Params, StoreError
from serbench.checks.regress.tallies import Tally
from serbench.learning.evaluate import Metric
from serbench.running.registry.toml_text import KeyPath, read_toml

SCHEMA_VERSION = 1
DIGITS = 6
"""Decimals of the scores that are written next to their tallies."""

Share = Annotated[float, Field(ge=0, le=1)]
Tolerance = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Counts = dict[str, list[Count]]
Setting = bool | int | float | str | list[bool | int | float | str]


class Allowed(Params):
    """How much worse a run may be."""

    margin: Share = 0.01
    """The greatest significant drop of UA and WA: the 95 % CI must include a smaller drop."""
    limit: Share = 0.05
    """The greatest drop of UA and WA, significant or not."""
    latency: Tolerance = 0.25
    """The greatest significant rise of the latency ratio, as a share of the reference's."""
    size: Tolerance = 0.02
    """The greatest growth in bytes, as a share of the reference run's size."""


class GoldenRun(Params):
    """The reference run."""

    command: str
    serbench_version: str
    plan_digest: str
    dataset: str
    corpus_digest: str
    folds_digest: str
    labels: Annotated[list[str], Field(min_length=2)]


class GoldenMethod(Params):
    """A method's scores, and the hits from which they are computed."""

    seeds: Annotated[list[int], Field(min_length=1)]
    ua: Share
    wa: Share
    margin: Share | None = None
    limit: Share | None = None
    hits: Counts
    settings: dict[str, Setting] = Field(default_factory=dict)


class GoldenReference(Params):
    """The model by whose latency others are divided."""

    kind: Literal["built-in", "file"]
    sha256: str
    threads: Annotated[int, Field(ge=1)] = 1
    cpu: str
    packages: dict[str, str]


class GoldenLatency(Params):
    """A model of outer fold 1 in a backend. Without ``ratio``: not measured yet."""

    method: str
    backend: str
    audio_s: Annotated[float, Field(ge=0.1)] = 3.0
    ratio: Positive | None = None
    ratio_range: tuple[Positive, Positive] | None = None
    size_bytes: Annotated[int, Field(gt=0)] | None = None
    allowed: Tolerance | None = None
    allowed_size: Tolerance | None = None

    @property
    def what(self) -> str:
        """The entry's name in tables."""
        return f"{self.method} {self.backend} {self.audio_s:g} s"


class Golden(Params):
    """The content of a golden file."""

    schema_version: Literal[1]
    run: GoldenRun
    allowed: Allowed = Allowed()
    counts: Annotated[Counts, Field(min_length=1)]
    """Test utterances of each class by speaker, for one seed."""
    methods: Annotated[dict[str, GoldenMethod], Field(min_length=1)]
    reference: GoldenReference | None = None
    latency: list[GoldenLatency] = Field(default_factory=list)
    settings: dict[str, Setting] = Field(default_factory=dict)
    """Settings of the run and of all its methods, to list changes; not checked."""

    @model_validator(mode="after")
    def _fits_itself(self) -> Golden:
        classes = len(self.run.labels)
        for speaker, row in self.counts.items():
            if len(row) != classes:
                raise ValueError(f"counts.{speaker} has {len(row)} numbers for {classes} classes")
        for name, method in self.methods.items():
            self._check_method(name, method)
        keys = [(each.method, each.backend, each.audio_s) for each in self.latency]
        if len(set(keys)) != len(keys):
            raise ValueError("two [[latency]] entries have the same method, backend and audio_s")
        for each in self.latency:
            if each.ratio is not None and self.reference is None:
                raise ValueError(f"latency of {each.what} has a ratio, but [reference] is missing")
        return self

    def _check_method(self, name: str, method: GoldenMethod) -> None:
        if method.hits.keys() != self.counts.keys():
            differing = sorted(method.hits.keys() ^ self.counts.keys())
            raise ValueError(f"methods.{name}.hits and counts have different speakers: {differing}")
        for speaker, hits in method.hits.items():
            most = [count * len(method.seeds) for count in self.counts[speaker]]
            if len(hits) != len(most) or any(h > m for h, m in zip(hits, most, strict=False)):
                raise ValueError(
                    f"methods.{name}.hits.{speaker} is {hits}, but there are {most} utterances"
                )
        found = self.tally(name)
        stated_scores: dict[Metric, float] = {"ua": method.ua, "wa": method.wa}
        for metric, stated in stated_scores.items():
            if abs(found.score(metric) - stated) > 10**-DIGITS:
                raise ValueError(
                    f"methods.{name}.{metric} is {stated}, but its hits give "
                    f"{found.score(metric):.{DIGITS}f}; do not edit scores"
                )

    def tally(self, method: str) -> Tally:
        """Hits and counts of a method over its seeds."""
        own = self.methods[method]
        speakers = tuple(sorted(self.counts))
        counts = np.array([self.counts[each] for each in speakers], np.int64)
        return Tally(
            seeds=tuple(own.seeds),
            speakers=speakers,
            hits=np.array([own.hits[each] for each in speakers], np.int64),
            counts=counts * len(own.seeds),
        )


def read_golden(path: Path) -> Golden:
    """
    Raises:
        StoreError: there is no such file, or it is damaged or of another version; the message
            says where and what to do.
        RegistryError: it is not TOML.
    """
    if not path.is_file():
        raise StoreError(
            f"golden file {path} not found; make one from a run that you trust: serbench "
            f"regress RUN --update --golden {path}"
        )
    content, lines = read_toml(path, str(path))
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"{path}: schema_version is {version}, but this serbench reads {SCHEMA_VERSION}; "
            "make the file again with --update"
        )
    try:
        return Golden.model_validate(content)
    except ValidationError as error:
        raise StoreError(_fault(path, error, lines)) from error


def _fault(path: Path, error: ValidationError, lines: Mapping[KeyPath, int]) -> str:
    """The first fault, with its line if known."""
    first = error.errors(include_url=False)[0]
    place = [str(part) for part in first["loc"]]
    line = next(
        (lines[key] for end in range(len(place), 0, -1) if (key := tuple(place[:end])) in lines),
        None,
    )
    where = f"{path}:{line}" if line else str(path)
    said = first["msg"].removeprefix("Value error, ")
    return f"{where}: {'.'.join(place)}: {said}" if place else f"{where}: {said}"


def merged(
    shared: Mapping[str, Setting], methods: Mapping[str, Mapping[str, Setting]]
) -> dict[str, dict[str, Setting]]:
    """Every setting of each method."""
    return {name: {**shared, **own} for name, own in methods.items()}


def common(
    methods: Mapping[str, Mapping[str, Setting]],
) -> tuple[dict[str, Setting], dict[str, dict[str, Setting]]]:
    """Settings that all methods share, and each method's own: the inverse of ``merged``."""
    tables: Sequence[Mapping[str, Setting]] = list(methods.values())
    shared = {
        key: value
        for key, value in tables[0].items()
        if all(key in other and other[key] == value for other in tables[1:])
    }
    own = {
        name: {key: value for key, value in table.items() if key not in shared}
        for name, table in methods.items()
    }
    return shared, own
