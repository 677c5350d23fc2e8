"""Prepares a run before any fit: its corpus, its folds, and the guard's first checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from serbench.api import FrontEnd, RegistryError, Student, TeacherCard
from serbench.data.corpus.table import CorpusTable
from serbench.data.corpus.unlabelled import UnlabelledAudio
from serbench.protocol.guard.canary import FEWEST_REPEATS
from serbench.protocol.guard.certificate import AudioRecord
from serbench.protocol.guard.certify import certify
from serbench.protocol.guard.evidence import Evidence
from serbench.protocol.guard.pretraining import (
    Inheritance,
    Listening,
    Provenance,
    check_inheritance,
    check_listening,
    check_pretraining,
)
from serbench.running.harness.folds import Folds, plan_folds
from serbench.running.harness.inputs import load_audio, load_dataset
from serbench.running.harness.leaky import untouched
from serbench.running.harness.observer import Observer
from serbench.running.harness.resources import Resources
from serbench.running.plan.records import RunPlan


@dataclass(frozen=True)
class Prepared:
    """Everything that a run knows before its first fit.

    Attributes:
        audio: the unlabelled audio; None: the run has none.
        evidence: what the guard's first checks found.
    """

    folds: Folds
    audio: UnlabelledAudio | None
    evidence: Evidence


def prepare(plan: RunPlan, resources: Resources, watch: Observer) -> Prepared:
    """Read the corpus, make the folds, and check both. Announce how a dataset was made.

    Raises:
        SerbenchError: any of its subclasses; the guard raises ``LeakageError``.
    """
    _check_protocol(plan, watch)
    table = load_dataset(
        plan.dataset,
        resources.data_dir,
        resources.cache,
        watch,
        allow_incomplete=resources.allow_incomplete,
    )
    for line in table.made:
        watch.announce(line)
    audio = load_audio(plan, resources.cache, watch)
    folds = plan_folds(plan, table, resources.cache, watch, audio)
    evidence = Evidence(
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
    certify(folds.table, folds.outer, folds.inner, evidence)
    return Prepared(folds, audio, evidence)


def _check_protocol(plan: RunPlan, watch: Observer) -> None:
    """Check the settings of the protocol. First announce a protocol that is broken on purpose.

    Raises:
        RegistryError: the canary cannot find anything, or unlabelled audio is missing.
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
    """Check L7 (what teachers were trained on), before any weights are downloaded."""
    cards = {name: teacher.card for name, teacher in plan.teachers.items()}
    return check_pretraining(
        cards,
        plan.dataset.evaluated.name,
        table.card,
        allow=plan.protocol.allow_pretraining_overlap,
    )


def _inheritance(plan: RunPlan, table: CorpusTable) -> tuple[Inheritance, ...]:
    """Check L7 for students that inherit weights."""
    return check_inheritance(
        cards_of(plan.heirs),
        plan.dataset.evaluated.name,
        table.card,
        allow=plan.protocol.allow_pretraining_overlap,
    )


def _listening(plan: RunPlan, table: CorpusTable) -> tuple[Listening, ...]:
    """Check L7 for front ends that run a model."""
    return check_listening(
        cards_of(plan.listeners),
        plan.dataset.evaluated.name,
        table.card,
        allow=plan.protocol.allow_pretraining_overlap,
    )


def cards_of(models: Mapping[str, Student] | Mapping[str, FrontEnd]) -> dict[str, TeacherCard]:
    """Cards of the models that have one."""
    found = {name: model.card for name, model in models.items()}
    return {name: card for name, card in found.items() if card is not None}


def audio_record(audio: UnlabelledAudio | None) -> AudioRecord | None:
    """The certificate's record of the unlabelled audio."""
    if audio is None:
        return None
    return AudioRecord(
        recordings=len(audio.utterances), duration_s=round(audio.duration_s), digest=audio.digest
    )
