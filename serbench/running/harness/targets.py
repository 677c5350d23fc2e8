"""Heads of teachers: each is fitted within its training partition once, and cached."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from serbench.data.corpus.table import CorpusTable
from serbench.files.source import core_digest
from serbench.learning.crops import CropRecipe
from serbench.learning.teach.crossfit import SoftTargets, cross_fit, cross_heard
from serbench.learning.teach.embeddings import TeacherEmbeddings
from serbench.learning.teach.heads import fit_head, fit_path
from serbench.learning.teach.targets import Target, TargetKey
from serbench.protocol.guard.view import FittedRecord, PartitionView
from serbench.protocol.splits.records import Split
from serbench.running.executors.executor import Executor
from serbench.running.harness.code import HEAD
from serbench.running.harness.leaky import best_on_test, corpus_embeddings, unsealed_labels
from serbench.running.plan.records import digest_of
from serbench.running.store.cache import FitCache, FitRecord
from serbench.settings import EPOCH_ON_TEST, HeadSettings, ProtocolName

Work = TypeVar("Work")


@dataclass(frozen=True)
class HeadJob:
    """A teacher's head that is fitted on one training partition."""

    embeddings: TeacherEmbeddings
    view: PartitionView
    settings: HeadSettings
    num_classes: int


def _cross_fit(job: HeadJob) -> tuple[SoftTargets, tuple[FittedRecord, ...]]:
    train = job.embeddings.fitting(job.view, head_of(job.embeddings.name))
    return cross_fit(train, job.settings, job.num_classes), job.view.fitted


@dataclass(frozen=True)
class _Labelling:
    """Labelling of unlabelled audio for one teacher and partition.

    Attributes:
        pooled: ``(U, L, P)``, the pooled embeddings of the unlabelled recordings.
    """

    job: HeadJob
    strength: float
    pooled: NDArray[np.float32]


def _label(work: _Labelling) -> NDArray[np.float32]:
    """Logits ``(U, C)`` of a head that was fitted on the whole partition."""
    job = work.job
    train = job.embeddings.fitting(job.view, head_of(job.embeddings.name))
    return fit_head(train, job.num_classes, work.strength).predict(work.pooled)


@dataclass(frozen=True)
class _Hearing:
    """Scoring of crops for one teacher, partition and recipe.

    Attributes:
        crops: the teacher's embeddings of the first crop of each utterance, the second, …
    """

    job: HeadJob
    strength: float
    crops: tuple[TeacherEmbeddings, ...]


def _hear(work: _Hearing) -> NDArray[np.float32]:
    """Cross-fitted logits ``(K · N, C)`` of the partition's crops."""
    job, what = work.job, head_of(work.job.embeddings.name)
    first, *others = work.crops
    train = job.embeddings.fitting(job.view, what)
    heard = first.fitting(job.view, what, *others)
    return cross_heard(train, heard, job.settings, work.strength, job.num_classes)


def head_of(teacher: str) -> str:
    """Name of a teacher's fitted head, for the certificate."""
    return f"head of {teacher}"


def fit_targets(
    teachers: Mapping[str, TeacherEmbeddings],
    views: Mapping[str, PartitionView],
    heads: Iterable[HeadSettings],
    classes: int,
    cache: Path,
    executor: Executor,
) -> dict[TargetKey, Target]:
    """Cross-fit every teacher's head on every training partition, each once; results are cached."""
    kept_heads = FitCache(cache, "soft-targets")
    addresses, jobs = head_jobs(teachers, views, heads, classes)
    records = {address: kept_heads.get(address) for address in jobs}
    missing = {address: job for address, job in jobs.items() if records[address] is None}
    results = executor.calls(_cross_fit, list(missing.values()))
    for address, (targets, fitted) in zip(missing, results, strict=True):
        kept_heads.put(
            address,
            {"strength": targets.strength, "fitted": [r.model_dump(mode="json") for r in fitted]},
            {"logits": targets.logits, "layer_weights": targets.layer_weights.astype(np.float32)},
        )
        records[address] = kept_heads.written(address)
    return {key: _target(records[address], *key[:2]) for key, address in addresses.items()}


def head_jobs(
    teachers: Mapping[str, TeacherEmbeddings],
    views: Mapping[str, PartitionView],
    heads: Iterable[HeadSettings],
    classes: int,
) -> tuple[dict[TargetKey, str], dict[str, HeadJob]]:
    """Addresses of all heads in the cache, and the heads to fit by these addresses, each once."""
    addresses: dict[TargetKey, str] = {}
    jobs: dict[str, HeadJob] = {}
    for name, embeddings in teachers.items():
        for settings in dict.fromkeys(heads):
            for partition, view in views.items():
                job = HeadJob(embeddings, view, settings, classes)
                address = digest_of(_identity(job))
                addresses[name, partition, settings] = address
                # Inner fold i of outer fold j, and inner fold j of outer fold i, train on the same
                # utterances: one head serves both.
                jobs[address] = job
    return addresses, jobs


def _identity(job: HeadJob) -> dict[str, object]:
    """The part of an address that identifies the head."""
    return {
        "embeddings": job.embeddings.digest,
        "ids": list(job.view.ids),
        "units": list(job.view.units),
        "labels": job.view.labels.tolist(),
        "head": job.settings.model_dump(mode="json"),
        "classes": job.num_classes,
        "code": core_digest(HEAD),
    }


def label_audio(
    teachers: Mapping[str, TeacherEmbeddings],
    audio: Mapping[str, TeacherEmbeddings],
    views: Mapping[str, PartitionView],
    targets: Mapping[TargetKey, Target],
    heads: Container[HeadSettings],
    classes: int,
    cache: Path,
    executor: Executor,
) -> dict[TargetKey, Target]:
    """The targets. Those in ``heads`` also get soft targets of the unlabelled recordings.

    The head that labels them is fitted on the whole training partition, with the strength that was
    chosen there. The audio contains no utterances of the corpus, so none has to be left out.
    Results are cached.

    Args:
        teachers: embeddings of the corpus.
        audio: embeddings of the unlabelled audio by the same teachers.
        views: training partitions by name.
        targets: their results of ``fit_targets``.
        heads: the heads whose logits are needed.
        classes: C.
        cache: root of the cache.
        executor: where heads are fitted.
    """
    addresses: dict[TargetKey, str] = {}
    work: dict[str, _Labelling] = {}
    for key, target in targets.items():
        name, partition, settings = key
        if settings in heads:
            job = HeadJob(teachers[name], views[partition], settings, classes)
            heard = audio[name]
            addresses[key] = digest_of({**_identity(job), "unlabelled": heard.digest})
            work[addresses[key]] = _Labelling(job, target.strength, heard.pooled_of(heard.ids))
    said = _said(_label, addresses, work, cache, executor)
    return {key: replace(t, unlabelled=said.get(key)) for key, t in targets.items()}


def hear_crops(
    teachers: Mapping[str, TeacherEmbeddings],
    crops: Mapping[CropRecipe, Mapping[str, tuple[TeacherEmbeddings, ...]]],
    views: Mapping[str, PartitionView],
    targets: Mapping[TargetKey, Target],
    asked: Iterable[tuple[HeadSettings, CropRecipe]],
    classes: int,
    cache: Path,
    executor: Executor,
) -> dict[TargetKey, Target]:
    """The targets, with the logits of each training utterance's crops, from the cross-fitted heads.

    Each crop's logits come from the head that was not fitted on its speaker. Heads are fitted on
    whole utterances, as for the utterances' own targets. Results are cached.

    Args:
        teachers: embeddings of the corpus.
        crops: embeddings of its crops by the same teachers.
        views: training partitions by name.
        targets: their results of ``fit_targets``.
        asked: the needed recipes, with their heads.
        classes: C.
        cache: root of the cache.
        executor: where heads are fitted.
    """
    targets = dict(targets)
    for head, recipe in dict.fromkeys(asked):
        addresses: dict[TargetKey, str] = {}
        work: dict[str, _Hearing] = {}
        for key, target in targets.items():
            name, partition, settings = key
            if settings == head:
                job = HeadJob(teachers[name], views[partition], settings, classes)
                heard = crops[recipe][name]
                digests = [each.digest for each in heard]
                addresses[key] = digest_of({**_identity(job), "crops": digests})
                work[addresses[key]] = _Hearing(job, target.strength, heard)
        for key, logits in _said(_hear, addresses, work, cache, executor).items():
            old = targets[key]
            targets[key] = replace(old, crops={**old.crops, recipe: logits})
    return targets


def _said(
    function: Callable[[Work], NDArray[np.float32]],
    addresses: Mapping[TargetKey, str],
    work: Mapping[str, Work],
    cache: Path,
    executor: Executor,
) -> dict[TargetKey, NDArray[np.float32]]:
    """Logits of every target, from the cache or computed now."""
    kept = FitCache(cache, "soft-targets")
    missing = {address: each for address, each in work.items() if kept.get(address) is None}
    made = executor.calls(function, list(missing.values()))
    for address, logits in zip(missing, made, strict=True):
        kept.put(address, {}, {"logits": logits})
    return {key: kept.written(address).arrays["logits"] for key, address in addresses.items()}


def _target(record: FitRecord | None, teacher: str, partition: str) -> Target:
    """A target from a cached record. The record may have another name of the teacher or of a
    partition with the same utterances: a layer given by number may be the middle one.
    """
    assert record is not None
    own = {"what": head_of(teacher), "partition": partition}
    fitted = [FittedRecord.model_validate({**each, **own}) for each in record.json["fitted"]]
    return Target(
        record.arrays["logits"],
        record.arrays["layer_weights"],
        record.json["strength"],
        # One view may have served for the fits of several teachers, one after the other.
        tuple(each for n, each in enumerate(fitted) if each not in fitted[:n]),
    )


def teacher_posteriors(
    embeddings: TeacherEmbeddings,
    view: PartitionView,
    target: Target,
    split: Split,
    table: CorpusTable,
    strengths: tuple[float, ...],
    protocol: ProtocolName,
) -> NDArray[np.float32]:
    """The teacher's own posteriors ``(U, C)`` for a fold's test side, from a head of the whole
    training side.

    Broken protocols choose the head's strength, or scale its inputs, with the test side.
    """
    test = embeddings.pooled_of(split.test.ids)
    classes = len(table.labels)
    train = embeddings.fitting(view, head_of(embeddings.name))
    if protocol in EPOCH_ON_TEST or protocol == "leaky-search":
        heads = fit_path(train, classes, sorted(strengths))
        head = best_on_test(heads, test, unsealed_labels(split, table))
    else:
        over = corpus_embeddings(embeddings, table) if protocol == "leaky-normaliser" else None
        head = fit_head(train, classes, target.strength, over)
    return softmax(head.predict(test), axis=1).astype(np.float32)
