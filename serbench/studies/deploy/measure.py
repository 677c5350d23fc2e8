"""Measures scores, times and sizes of a run's students through backends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from serbench.api import PluginError
from serbench.protocol.guard.certificate import Certificate
from serbench.running.replay.run import Replay
from serbench.running.replay.students import StoredStudent
from serbench.studies.deploy.accuracy import (
    Accuracy,
    Posteriors,
    check_reference,
    compare_backends,
    score_folds,
)
from serbench.studies.deploy.backends import REFERENCE, TriedBackend, runnable
from serbench.studies.deploy.device.instruments import load_average, machine
from serbench.studies.deploy.models import (
    Converted,
    FoldModel,
    convert_folds,
    export_folds,
)
from serbench.studies.deploy.process import PATIENCE_S, WorkerError
from serbench.studies.deploy.results import (
    KIND,
    SCHEMA_VERSION,
    BackendScore,
    DeployResults,
    DeploySettings,
    Effort,
    Machine,
    ResultRow,
    RunFacts,
    read_results,
)
from serbench.studies.deploy.static import Arithmetic, count_arithmetic
from serbench.studies.deploy.timing import (
    STANDARD,
    Contestant,
    Measured,
    check_threads,
    measure_rounds,
)
from serbench.studies.deploy.versions import runtime_versions

if TYPE_CHECKING:
    from serbench.studies.deploy.params import DeployParams


@dataclass(frozen=True, slots=True)
class Deployment:
    """Backends on this machine and on others.

    Attributes:
        results: the results of this machine.
        imported: the results of other machines.
        kept_gap: greatest difference of a posterior between the reference and the run's own.
        notes: what a reader must know about the replay.
    """

    results: DeployResults
    imported: tuple[DeployResults, ...]
    arithmetic: Arithmetic
    kept_gap: float
    utterances: int
    speakers: int
    folds: int
    certificate: Certificate
    notes: tuple[str, ...]

    @property
    def failed(self) -> tuple[ResultRow, ...]:
        """Backends that should run here and failed."""
        return tuple(row for row in self.results.rows if row.outcome == "failed")


@dataclass(frozen=True, slots=True)
class _Ready:
    """A backend with its conversions, and its posteriors of the test sides."""

    converted: tuple[Converted, ...]
    posteriors: Posteriors


def measure_deployment(
    replay: Replay,
    backends: Sequence[TriedBackend],
    params: DeployParams,
    *,
    effort: Effort = STANDARD,
    patience_s: float = PATIENCE_S,
) -> Deployment:
    """Export, convert, score and time; all but times is read from the cache if it is there.

    Args:
        replay: the run.
        backends: the result of ``choose_backends``.
        params: the options of the command.
        effort: how much is measured in a round.
        patience_s: time limit of each step of a backend.

    Raises:
        StoreError: the run is leaky, has no such method or seed, or its student does not predict
            what the run has kept; a file to import does not fit.
        PluginError: the reference itself fails.
        RegistryError: a front end or windows that cannot be exported.
        SerbenchError: more threads than cores.
    """
    replay.check_proper()
    check_threads(params.threads)
    students = replay.fold_networks(params.method, [params.seed])
    facts = run_facts(replay, students[0])
    imported = tuple(read_results(path, facts) for path in params.import_)
    models = export_folds(replay, students)
    here = machine("", runtime_versions(backends))
    candidates = runnable(backends)
    ready, failures = _prepare(replay, candidates, models, params.threads, patience_s)
    kept_gap = check_reference(replay, models, ready[REFERENCE].posteriors)
    accuracy = compare_backends(
        replay, models, {name: each.posteriors for name, each in ready.items()}
    )
    measured = measure_rounds(
        replay,
        models[0],
        [
            Contestant(each, ready[each.name].converted[0])
            for each in candidates
            if each.name in ready
        ],
        threads=params.threads,
        rounds=params.rounds,
        effort=effort,
        patience_s=patience_s,
    )
    if REFERENCE in measured.failures:
        raise PluginError(f"the reference {REFERENCE}: {measured.failures[REFERENCE]}")
    failures |= measured.failures
    here |= {"load_end": load_average(), "pinned": measured.pinned}
    rows = [_row(each, failures, ready, accuracy, measured) for each in backends]
    settings = DeploySettings(threads=params.threads, rounds=params.rounds, effort=effort)
    results = DeployResults(
        kind=KIND,
        schema_version=SCHEMA_VERSION,
        run=facts,
        machine=Machine.model_validate(here),
        settings=settings,
        reference=REFERENCE,
        rows=rows,
        imports=dict(measured.imports),
    )
    tested = [i for split in replay.folds.outer for i in split.test.ids]
    return Deployment(
        results=results,
        imported=imported,
        arithmetic=count_arithmetic(models[0], effort.window_s),
        kept_gap=kept_gap,
        utterances=len(tested),
        speakers=len({replay.table.by_id[i].speaker for i in tested}),
        folds=len(models),
        certificate=replay.certificate,
        notes=replay.notes,
    )


def _prepare(
    replay: Replay,
    candidates: Sequence[TriedBackend],
    models: Sequence[FoldModel],
    threads: int,
    patience_s: float,
) -> tuple[dict[str, _Ready], dict[str, str]]:
    """Conversions and posteriors by backend, and the reasons why other backends have none.

    Raises:
        PluginError: the reference has none.
    """
    ready: dict[str, _Ready] = {}
    failures: dict[str, str] = {}
    advance = partial(replay.watch.advance, "convert and score")
    for number, candidate in enumerate(candidates):
        advance(number, len(candidates))
        try:
            converted = convert_folds(candidate, models, replay.cache, patience_s)
            posteriors = score_folds(replay, candidate, models, converted, threads, patience_s)
            ready[candidate.name] = _Ready(converted, posteriors)
        except WorkerError as error:
            if candidate.name == REFERENCE:
                raise PluginError(f"the reference {REFERENCE}: {error}") from error
            failures[candidate.name] = str(error)
    advance(len(candidates), len(candidates))
    return ready, failures


def run_facts(replay: Replay, student: StoredStudent) -> RunFacts:
    """Facts about the model whose times are measured: a student of outer fold 1.

    Raises:
        StoreError: its weights cannot be read.
    """
    return RunFacts(
        name=replay.run.name,
        plan_digest=replay.plan["digest"],
        certificate_digest=replay.certificate.digest,
        dataset=replay.stored.dataset,
        method=student.method,
        seed=student.seed,
        model=student.name,
        weights_sha256=student.weights_digest,
    )


def _row(
    candidate: TriedBackend,
    failures: dict[str, str],
    ready: dict[str, _Ready],
    accuracy: dict[str, Accuracy],
    measured: Measured,
) -> ResultRow:
    name = candidate.name
    reason = candidate.unavailable or failures.get(name)
    outcome = "unavailable" if candidate.unavailable else "failed" if reason else "measured"
    scored = accuracy.get(name)
    device = candidate.device
    return ResultRow(
        name=name,
        plugin=type(candidate.backend).name,
        params=candidate.backend.params.model_dump(mode="json"),
        precision=candidate.precision,
        device="cuda" if device == "cuda" else "cpu",
        outcome=outcome,
        reason=reason,
        size_bytes=ready[name].converted[0].size_bytes if name in ready else None,
        accuracy=_score(scored) if scored else None,
        rounds=list(measured.rounds.get(name, ())),
    )


def _score(accuracy: Accuracy) -> BackendScore:
    difference = accuracy.difference
    return BackendScore(
        ua=accuracy.ua.value,
        ua_low=accuracy.ua.low,
        ua_high=accuracy.ua.high,
        delta_ua=difference.value if difference else None,
        delta_ua_low=difference.low if difference else None,
        delta_ua_high=difference.high if difference else None,
        verdict=accuracy.verdict,
        changed=accuracy.changed,
        posterior_difference=accuracy.gap,
    )
