"""Measures the effect of leakage: the same methods under the proper protocol and under broken ones.

All protocols score the same utterances, so differences are paired: speakers are drawn once, and
the same draws are used for every protocol, as in ``serbench.results.compare``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from serbench.api import StoreError
from serbench.learning.evaluate import (
    Metric,
    resample_weights,
    speaker_confusions,
)
from serbench.protocol.guard.certificate import Certificate
from serbench.results.compare.drawn import Drawn
from serbench.results.compare.intervals import REPEATS
from serbench.results.compare.methods import check_paired
from serbench.results.compare.names import display_name
from serbench.results.compare.records import Estimate
from serbench.results.report.published import claims_in
from serbench.results.report.results import shown_in
from serbench.results.report.settings import flatten
from serbench.running.registry.schema import ClaimSpec
from serbench.running.store.finished import StoredRun, load_runs
from serbench.running.store.run import TEACHER_PREFIX
from serbench.settings import PROPER, RANDOM_FOLDS, ProtocolName

METRICS: tuple[Metric, ...] = ("ua", "wa")

SAME = (
    *("profile", "folds", "backend", "teachers", "pretrain_audio", "seeds"),
    *("serbench_version", "code", "arithmetic"),
)
"""Entries of the plan that must be equal, besides corpus, methods and the rest of the protocol."""

FREE = ("name", "canary")
"""Settings of the protocol that may differ: a canary changes no score."""

SHOWN = 3
"""Number of differences that a message lists before it counts the rest."""


@dataclass(frozen=True, slots=True)
class ProtocolScore:
    """A method under one protocol.

    Attributes:
        pooled: pooled score by metric, with intervals.
        inflation: pooled score minus that under the proper protocol, by metric, with paired
            intervals; empty for the proper protocol itself.
    """

    pooled: Mapping[Metric, Estimate]
    inflation: Mapping[Metric, Estimate]


@dataclass(frozen=True, slots=True)
class Inflation:
    """The same methods under several protocols.

    Attributes:
        dataset: its name.
        certificates: by protocol, the proper one first.
        methods: students, then ``teacher:NAME``.
        names: what tables call them.
        claims: published claims about a method, if the proper run belongs to a suite.
        unchanged: by protocol, the methods whose predictions it did not change.
        scores: scores by method and protocol.
        speakers: number of speakers from which draws were made.
    """

    dataset: str
    certificates: Mapping[ProtocolName, Certificate]
    methods: tuple[str, ...]
    names: Mapping[str, str]
    claims: Mapping[str, Sequence[ClaimSpec]]
    unchanged: Mapping[ProtocolName, tuple[str, ...]]
    scores: Mapping[tuple[str, ProtocolName], ProtocolScore]
    speakers: int
    repeats: int

    @property
    def protocols(self) -> tuple[ProtocolName, ...]:
        """The protocols, the proper one first."""
        return tuple(self.certificates)

    @property
    def leaky(self) -> tuple[ProtocolName, ...]:
        """The broken protocols."""
        return self.protocols[1:]


def load_inflation(folders: Sequence[Path]) -> Inflation:
    """Read runs of the same methods under several protocols, and score them.

    Raises:
        StoreError: a folder has no finished run or is damaged; not exactly one run is
            speaker-independent, or two have the same protocol; they differ in anything else than
            the protocol.
    """
    runs = _by_protocol(load_runs(folders))
    proper = runs[PROPER]
    for run in runs.values():
        _check_same(proper, run)
    labels = proper.plan["dataset"]["labels"]
    methods = _methods(proper)
    coded: dict[ProtocolName, pd.DataFrame] = {
        name: _coded(run, labels) for name, run in runs.items()
    }
    speakers = sorted(coded[PROPER]["speaker"].unique())
    weights = resample_weights(len(speakers), REPEATS, seed=0)
    scores: dict[tuple[str, ProtocolName], ProtocolScore] = {}
    for method in methods:
        _check_paired(coded, labels, method)
        stacks: dict[ProtocolName, NDArray[np.int64]] = {
            protocol: _confusions(table, method, len(labels)) for protocol, table in coded.items()
        }
        for protocol, stack in stacks.items():
            base = None if protocol == PROPER else stacks[PROPER]
            scores[method, protocol] = _score(stack, base, weights)
    return Inflation(
        dataset=str(proper.plan["dataset"]["name"]),
        certificates={protocol: run.certificate for protocol, run in runs.items()},
        methods=methods,
        names={method: display_name(shown_in(proper, method)) for method in methods},
        claims=claims_in(proper.plan["suite"]) if "suite" in proper.plan else {},
        unchanged={
            protocol: tuple(m for m in methods if _same(coded[PROPER], table, m))
            for protocol, table in coded.items()
            if protocol != PROPER
        },
        scores=scores,
        speakers=len(speakers),
        repeats=REPEATS,
    )


def _by_protocol(runs: Sequence[StoredRun]) -> dict[ProtocolName, StoredRun]:
    """Runs by protocol, the proper one first.

    Raises:
        StoreError: there is no run or no leaky run, or two runs have the same protocol.
    """
    counts = Counter(run.certificate.protocol for run in runs)
    for protocol, count in counts.items():
        if count > 1:
            named = ", ".join(run.name for run in runs if run.certificate.protocol == protocol)
            raise StoreError(
                f"{count} runs have the protocol {protocol}: {named}; give only one of them"
            )
    if PROPER not in counts:
        raise StoreError(
            f"none of the runs is {PROPER}, so the leaky runs have no reference; add a run of the "
            f"same methods with --protocol {PROPER}"
        )
    if len(counts) == 1:
        raise StoreError(
            f"{runs[0].name} is {PROPER}; add runs of the same methods under other protocols, "
            "such as --protocol leaky-random"
        )
    ordered = sorted(runs, key=lambda run: run.certificate.leaky)
    return {run.certificate.protocol: run for run in ordered}


def _check_same(proper: StoredRun, run: StoredRun) -> None:
    """
    Raises:
        StoreError: two runs differ in anything else than the name of the protocol.
    """
    own, other = (dict(_determinants(each)) for each in (proper, run))
    if run.certificate.protocol not in RANDOM_FOLDS:  # their folds differ anyway
        own["folds digest"], other["folds digest"] = (
            each.plan["folds_digest"] for each in (proper, run)
        )
    paths = [path for path in {**own, **other} if own.get(path) != other.get(path)]
    if paths:
        said = "; ".join(
            f"{path} is {own.get(path, 'not set')} and {other.get(path, 'not set')}"
            for path in islice(paths, SHOWN)
        )
        more = f"; and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
        raise StoreError(
            f"{proper.name} and {run.name} differ in more than the protocol: {said}{more}; run "
            "the same command with only --protocol changed"
        )


def _determinants(run: StoredRun) -> Iterator[tuple[str, str]]:
    """Everything that determines a run's result except its protocol's name, as paths and texts."""
    plan = run.plan
    yield "corpus digest", str(plan["dataset"]["corpus_digest"])
    yield "labels", ", ".join(plan["dataset"]["labels"])
    yield "methods", ", ".join(sorted(_methods(run)))
    for method in plan["methods"]:
        yield from flatten(method, f"method {method['name']}")
    for path, value in flatten(plan["protocol"], "protocol"):
        if path not in {f"protocol.{name}" for name in FREE}:
            yield path, value
    yield from flatten({key: plan[key] for key in (*SAME, "model_digests") if key in plan})


def _methods(run: StoredRun) -> tuple[str, ...]:
    """The planned methods, then the teachers' own heads."""
    planned = [str(method["name"]) for method in run.plan["methods"]]
    found = [str(name) for name in run.predictions["method"].unique()]
    return (*planned, *(name for name in found if name.startswith(TEACHER_PREFIX)))


def _coded(run: StoredRun, labels: Sequence[str]) -> pd.DataFrame:
    """Predictions with classes as numbers as well; unknown classes are -1."""
    index = pd.Index(labels)
    return run.predictions.assign(
        truth=index.get_indexer(pd.Index(run.predictions["label"])),
        guess=index.get_indexer(pd.Index(run.predictions["predicted"])),
    )


def _same(one: pd.DataFrame, other: pd.DataFrame, method: str) -> bool:
    """Whether a method predicted the same for every utterance."""
    keys = ["seed", "utterance", "guess"]
    own, its = (table.loc[table["method"] == method, keys] for table in (one, other))
    return set(own.itertuples(index=False, name=None)) == set(
        its.itertuples(index=False, name=None)
    )


def _check_paired(
    coded: Mapping[ProtocolName, pd.DataFrame], labels: Sequence[str], method: str
) -> None:
    """
    Raises:
        StoreError: a method did not score the same utterances under each protocol.
    """
    names = {protocol: f"{method} under {protocol}" for protocol in coded}
    tables = [
        table.loc[table["method"] == method].assign(method=names[protocol], outer=0)
        for protocol, table in coded.items()
    ]
    check_paired(pd.concat(tables), labels, list(names.values()))


def _confusions(table: pd.DataFrame, method: str, num_classes: int) -> NDArray[np.int64]:
    """Confusions ``(S, C, C)`` of a method's speakers, in sorted order, summed over seeds."""
    own = table.loc[table["method"] == method]
    return speaker_confusions(own["truth"], own["guess"], own["speaker"].tolist(), num_classes)


def _score(
    own: NDArray[np.int64], base: NDArray[np.int64] | None, weights: NDArray[np.int64]
) -> ProtocolScore:
    """Score a method; ``own`` and ``base`` are ``(S, C, C)``, ``weights (repeats, S)`` are the
    same draws for both.
    """
    pooled: dict[Metric, Estimate] = {}
    inflation: dict[Metric, Estimate] = {}
    for metric in METRICS:
        score = Drawn.of(own, weights, metric)
        pooled[metric] = score.estimate
        if base is not None:
            above = score.above(Drawn.of(base, weights, metric))
            inflation[metric] = Estimate(above.value, above.low, above.high)
    return ProtocolScore(pooled, inflation)
