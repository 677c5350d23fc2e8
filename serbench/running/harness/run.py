"""One run: Algorithm 1 over every method, seed and fold, from a plan to a certified result."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import pandas as pd

import serbench
from serbench.api import FrontEnd, RegistryError, Student, TeacherCard
from serbench.data.corpus.table import CorpusTable
from serbench.data.corpus.unlabelled import UnlabelledAudio
from serbench.errors import OutOfTimeError
from serbench.files.atomic import check_writable
from serbench.files.cache_use import using_cache
from serbench.files.paths import inside
from serbench.protocol.guard.canary import FEWEST_REPEATS
from serbench.protocol.guard.certificate import AudioRecord
from serbench.protocol.guard.certify import Evidence, certify
from serbench.protocol.guard.pretraining import (
    Inheritance,
    Listening,
    Provenance,
    check_inheritance,
    check_listening,
    check_pretraining,
)
from serbench.protocol.guard.seal import Seal
from serbench.running.harness.canary import sing
from serbench.running.harness.code import arithmetic, code_digests
from serbench.running.harness.folds import Folds, plan_folds
from serbench.running.harness.inputs import Inputs, load_audio, load_dataset, load_inputs
from serbench.running.harness.leaky import untouched
from serbench.running.harness.nested import Nested
from serbench.running.harness.observer import Deadline, Observer
from serbench.running.harness.resources import Resources
from serbench.running.harness.results import utterance_rows
from serbench.running.harness.tasks import scored_segments
from serbench.running.plan.records import RunPlan, digest_of
from serbench.running.store.environment import environment
from serbench.running.store.run import RunStore


def run(plan: RunPlan, resources: Resources, watch: Observer) -> Path:
    """Run a plan, or its unfinished part, and return the run's folder.

    Raises:
        OutOfTimeError: at ``resources.executor.until``; the same command continues.
        SerbenchError: see its subclasses; finished fits are cached.
    """
    check_writable(resources.folder or resources.runs, "--out")
    _check_protocol(plan, watch)
    until = resources.executor.until
    with using_cache(resources.cache):
        if until is None:
            return _run(plan, resources, watch)
        try:
            return _run(plan, resources, Deadline(watch, until))
        except OutOfTimeError:
            raise OutOfTimeError(
                "the time of --stop-after is over. Finished fits are kept. To continue, run the "
                f"same command again: {resources.command}"
            ) from None


def _run(plan: RunPlan, resources: Resources, watch: Observer) -> Path:
    """The same, while the cache is locked, so that nothing the run needs is removed."""
    clock = [time.perf_counter()]
    table = _load(plan, resources, watch)
    audio = load_audio(plan, resources.cache, watch)
    folds = plan_folds(plan, table, resources.cache, watch, audio)
    before = Evidence(
        protocol=plan.protocol.name,
        near=folds.near,
        dropped=folds.dropped,
        audio=audio_record(audio),
        copied=folds.copied,
        trained_only=folds.trained_only,
        teachers=_provenance(plan, table),
        students=_inheritance(plan, table),
        front_ends=_listening(plan, table),
    )
    certify(folds.table, folds.outer, folds.inner, before)
    inputs = load_inputs(plan, folds.table, audio, resources.cache, resources.device, watch)
    clock.append(time.perf_counter())
    description = _describe(plan, inputs, folds, resources)
    store = RunStore(resources.folder or _own_folder(resources.runs, plan, description["digest"]))
    store.create(description)
    store.write_text("utterances.csv", utterance_rows(folds))
    nested = Nested(plan, inputs, folds, store, resources, watch)
    watch.run_started(nested.event)
    try:
        canary = sing(plan, inputs, folds, store, resources, watch)
        clock.append(time.perf_counter())
        nested.pretrain()
        clock.append(time.perf_counter())
        nested.ask_teachers()
        clock.append(time.perf_counter())
        students = nested.fit()
    finally:
        resources.executor.shut_down()
    clock.append(time.perf_counter())
    predictions = pd.concat([*students, *nested.score_teachers()], ignore_index=True)
    store.write_predictions(predictions)
    evidence = replace(
        before,
        plan_digest=description["digest"],
        segments=scored_segments(plan, folds.table, folds.outer),
        fitted=nested.fitted,
        openings=Seal(store.seal_path).openings(),
        canary=canary,
        searches=[record for choice in nested.choices if (record := choice.record)],
    )
    certificate = certify(folds.table, folds.outer, folds.inner, evidence)
    store.write_json(
        "certificate", {**certificate.model_dump(mode="json"), "digest": certificate.digest}
    )
    store.write_json("environment", environment(resources.plugins))
    clock.append(time.perf_counter())
    store.write_json("timing", _timing(clock, nested, resources))
    watch.run_finished(replace(nested.event, certificate=certificate.digest))
    return store.folder


def _load(plan: RunPlan, resources: Resources, watch: Observer) -> CorpusTable:
    """The dataset; how it was made of whole corpora is announced."""
    table = load_dataset(
        plan.dataset,
        resources.data_dir,
        resources.cache,
        watch,
        allow_incomplete=resources.allow_incomplete,
    )
    for line in table.made:
        watch.announce(line)
    return table


STAGES = ("load_s", "canary_s", "pretrain_s", "targets_s", "fits_wall_s", "score_s")
"""Stages of a run, in order."""


def _timing(clock: Sequence[float], nested: Nested, resources: Resources) -> dict[str, float]:
    """timing.json: seconds of each stage, from the times between them, and of the fits."""
    stages = (end - start for start, end in itertools.pairwise(clock))
    return {
        "wall_s": clock[-1] - clock[0],
        **dict(zip(STAGES, stages, strict=True)),
        "fit_s": nested.fresh_fit_s,
        "step_s": nested.fresh_step_s,
        "workers": resources.executor.workers,
        "fits_run": nested.fits_run,
        "fits_cached": nested.fits_cached,
    }


def _check_protocol(plan: RunPlan, watch: Observer) -> None:
    """Announce first that a protocol is broken on purpose.

    Raises:
        RegistryError: a canary that cannot find anything, or unlabelled audio is missing.
    """
    if plan.protocol.leaky:
        watch.announce(
            f"{plan.protocol.name}: this protocol is broken on purpose; do not compare its results"
        )
        for line in untouched(plan):
            watch.announce(line)
    lacking = [m.name for m in plan.methods if m.hears_unlabelled and plan.pretrain_audio is None]
    if lacking:
        raise RegistryError(
            f"{', '.join(lacking)}: loss.unlabelled is above 0, but the run has no unlabelled "
            "audio; name a folder with --pretrain-audio, or set loss.unlabelled=0"
        )
    if 0 < plan.protocol.canary < FEWEST_REPEATS:
        raise RegistryError(
            f"protocol.canary = {plan.protocol.canary}: a confidence interval needs at least "
            f"{FEWEST_REPEATS} repeats; --canary uses 5"
        )
    if plan.protocol.canary and plan.protocol.leaky:
        raise RegistryError(
            f"protocol {plan.protocol.name} is broken on purpose, so a canary has no unknown "
            "leak to find; leave --canary out"
        )


def _provenance(plan: RunPlan, table: CorpusTable) -> tuple[Provenance, ...]:
    """L7, before any weights are downloaded."""
    cards = {name: teacher.card for name, teacher in plan.teachers.items()}
    return check_pretraining(
        cards,
        plan.dataset.evaluated.name,
        table.card,
        allow=plan.protocol.allow_pretraining_overlap,
    )


def _inheritance(plan: RunPlan, table: CorpusTable) -> tuple[Inheritance, ...]:
    """L7 for students that inherit."""
    return check_inheritance(
        _cards_of(plan.heirs),
        plan.dataset.evaluated.name,
        table.card,
        allow=plan.protocol.allow_pretraining_overlap,
    )


def _listening(plan: RunPlan, table: CorpusTable) -> tuple[Listening, ...]:
    """L7 for front ends that run a model."""
    return check_listening(
        _cards_of(plan.listeners),
        plan.dataset.evaluated.name,
        table.card,
        allow=plan.protocol.allow_pretraining_overlap,
    )


def _cards_of(models: Mapping[str, Student] | Mapping[str, FrontEnd]) -> dict[str, TeacherCard]:
    found = {name: model.card for name, model in models.items()}
    return {name: card for name, card in found.items() if card is not None}


def audio_record(audio: UnlabelledAudio | None) -> AudioRecord | None:
    """The certificate's record of the unlabelled audio."""
    if audio is None:
        return None
    return AudioRecord(
        recordings=len(audio.utterances), duration_s=round(audio.duration_s), digest=audio.digest
    )


CITED = ("title", "citation", "home", "licence", "language", "elicitation")
"""What of a corpus's card reports cite."""


def _describe(plan: RunPlan, inputs: Inputs, folds: Folds, resources: Resources) -> dict[str, Any]:
    """plan.json: the plan, its inputs, and the digest that names the result."""
    table = inputs.table
    audio = audio_record(inputs.pretrain.audio if inputs.pretrain else None)
    description = {
        **plan.describe(),
        "pretrain_audio": audio.model_dump(mode="json") if audio else None,
    }
    folds_digest = digest_of([[split.name, list(split.test.ids)] for split in folds.outer])
    code = code_digests(plan)
    by = arithmetic(plan, resources.device)
    models = dict(inputs.model_digests)
    heirs, heard = _cards_of(plan.heirs), _cards_of(plan.listeners)
    dataset = {
        **cast("dict[str, object]", description["dataset"]),
        "labels": list(table.labels),
        "corpus_digest": table.digest,
        "utterances": len(table.utterances),
        "title": table.card.title,
    }
    return {
        "digest": run_digest(
            description, table.digest, folds_digest, models, resources.device, code, by
        ),
        "serbench_version": serbench.__version__,
        **description,
        "dataset": dataset,
        "seeds": list(range(plan.protocol.seeds)),
        "outer": [{"name": s.name, "test_units": list(s.test.units)} for s in folds.outer],
        "folds_digest": folds_digest,
        "model_digests": models,
        "device": resources.device,
        "code": code,
        "arithmetic": by,
        "about": {
            "corpus": {key: getattr(table.card, key) for key in CITED},
            "methods": {method.name: dict(method.about) for method in plan.methods},
        },
        "cards": {name: asdict(e.card) for name, e in inputs.embeddings.items()},
        **({"inherited": {n: asdict(card) for n, card in heirs.items()}} if heirs else {}),
        **({"heard": {n: asdict(card) for n, card in heard.items()}} if heard else {}),
        "command": resources.command,
    }


def _without_reasons(description: dict[str, Any]) -> dict[str, Any]:
    """A plan without the reasons why a suite leaves methods out."""
    suite = description.get("suite")
    if not suite:
        return description
    return {**description, "suite": {**suite, "left_out": sorted(suite["left_out"])}}


def run_digest(
    description: dict[str, Any],
    corpus: str,
    folds: str,
    models: dict[str, str],
    device: str,
    code: dict[str, str],
    arithmetic: dict[str, object],
    version: str = serbench.__version__,
) -> str:
    """The digest that names a run: of everything that determines its result.

    ``arithmetic`` is empty for a run of an older version, whose plan does not contain it.
    """
    return digest_of(
        {
            "plan": _without_reasons(description),
            "corpus": corpus,
            "folds": folds,
            "models": models,
            "version": version,
            "device": device,
            "code": code,
            **({"arithmetic": arithmetic} if arithmetic else {}),
        }
    )


def _own_folder(runs: Path, plan: RunPlan, digest: str) -> Path:
    methods = "-".join(re.sub(r"[+:]", "-", method.name) for method in plan.methods)
    if plan.ablation is not None:
        methods = f"{plan.ablation.name}-ablation"
    if plan.suite is not None:
        methods = plan.suite.name
    leaky = f"{plan.protocol.name}-" if plan.protocol.leaky else ""
    name = f"{plan.dataset.name}-{methods[:60]}-{plan.profile}-{leaky}{digest[:8]}"
    return inside(runs, name, what="run")
