"""What the teachers say of each training partition, fitted inside it and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from serbench.api import Need
from serbench.data.corpus.table import CorpusTable
from serbench.files.source import core_digest
from serbench.learning.fit.task import TeacherSignal
from serbench.learning.teach.crossfit import SoftTargets, cross_fit, partition_head
from serbench.learning.teach.embeddings import TeacherEmbeddings, teacher_frames
from serbench.learning.teach.heads import fit_path
from serbench.protocol.guard.view import FittedRecord, PartitionView
from serbench.protocol.splits.records import Split
from serbench.running.execute import run_calls
from serbench.running.harness.code import HEAD
from serbench.running.harness.inputs import Inputs
from serbench.running.harness.leaky import best_on_test, unsealed_labels
from serbench.running.plan.records import digest_of
from serbench.running.store.cache import FitCache
from serbench.settings import HeadSettings, ProtocolName

TargetKey = tuple[str, str, HeadSettings]
"""Teacher, training partition, head settings."""


@dataclass(frozen=True)
class Target:
    """A teacher's soft targets for one training partition.

    Attributes:
        layer_weights: ``(L,)`` float32.
        strength: C of the head.
        fitted: what was fitted, for the certificate.
    """

    logits: NDArray[np.float32]
    layer_weights: NDArray[np.float32]
    strength: float
    fitted: tuple[FittedRecord, ...]


@dataclass(frozen=True)
class _Job:
    embeddings: TeacherEmbeddings
    view: PartitionView
    settings: HeadSettings
    num_classes: int


def _cross_fit(job: _Job) -> tuple[SoftTargets, tuple[FittedRecord, ...]]:
    targets = cross_fit(
        job.embeddings, job.view, job.view.labels, job.view.units, job.settings, job.num_classes
    )
    return targets, job.view.fitted


def fit_targets(
    inputs: Inputs,
    views: Mapping[str, PartitionView],
    heads: Iterable[HeadSettings],
    cache: FitCache,
    workers: int,
) -> dict[TargetKey, Target]:
    """Cross-fit every teacher's head on every training partition, each once and kept."""
    found: dict[TargetKey, Target] = {}
    missing: list[tuple[TargetKey, str, _Job]] = []
    classes = len(inputs.table.labels)
    for name, embeddings in inputs.embeddings.items():
        for settings in dict.fromkeys(heads):
            for partition, view in views.items():
                address = digest_of(
                    {
                        "embeddings": embeddings.digest,
                        "ids": list(view.ids),
                        "units": list(view.units),
                        "labels": view.labels.tolist(),
                        "head": settings.model_dump(mode="json"),
                        "classes": classes,
                        "code": core_digest(HEAD),
                    }
                )
                key = (name, partition, settings)
                kept = cache.get(address)
                if kept is None:
                    missing.append((key, address, _Job(embeddings, view, settings, classes)))
                    continue
                found[key] = Target(
                    kept.arrays["logits"],
                    kept.arrays["layer_weights"],
                    kept.json["strength"],
                    _of_partition(kept.json["fitted"], partition),
                )
    # Inner folds i of outer j and j of outer i train on the same utterances: one head for both.
    jobs = {address: job for _, address, job in missing}
    results = dict(zip(jobs, run_calls(_cross_fit, list(jobs.values()), workers), strict=True))
    for address, (targets, fitted) in results.items():
        cache.put(
            address,
            {"strength": targets.strength, "fitted": [r.model_dump(mode="json") for r in fitted]},
            {"logits": targets.logits, "layer_weights": targets.layer_weights.astype(np.float32)},
        )
    for key, address, _ in missing:
        targets, fitted = results[address]
        found[key] = Target(
            targets.logits,
            targets.layer_weights.astype(np.float32),
            targets.strength,
            _of_partition([record.model_dump() for record in fitted], key[1]),
        )
    return found


def _of_partition(
    records: Iterable[Mapping[str, object]], partition: str
) -> tuple[FittedRecord, ...]:
    """Records of heads that another partition of the same utterances may have been fitted for."""
    return tuple(
        FittedRecord.model_validate({**record, "partition": partition}) for record in records
    )


def signals(
    inputs: Inputs,
    targets: Mapping[TargetKey, Target],
    view: PartitionView,
    head: HeadSettings,
    needs: frozenset[Need],
) -> tuple[TeacherSignal, ...]:
    """What a loss with these ``needs`` is given of every teacher, for one training partition."""
    if not needs:
        return ()
    given = []
    for name, embeddings in inputs.embeddings.items():
        target = targets[name, view.name, head]
        pooled = np.einsum("l,nlp->np", target.layer_weights, embeddings.pooled_of(view.ids))
        given.append(
            TeacherSignal(
                name=name,
                logits=target.logits if "soft_targets" in needs else None,
                pooled=pooled.astype(np.float32) if "pooled" in needs else None,
                frames=teacher_frames(embeddings) if "frames" in needs else None,
                layer_weights=target.layer_weights,
            )
        )
    return tuple(given)


def teacher_posteriors(
    embeddings: TeacherEmbeddings,
    view: PartitionView,
    target: Target,
    split: Split,
    table: CorpusTable,
    strengths: tuple[float, ...],
    protocol: ProtocolName,
) -> NDArray[np.float32]:
    """The teacher's own posteriors for a fold's test side ``(U, C)``, by a head of the whole train.

    Broken protocols choose the head's strength, or scale its inputs, with the test side.
    """
    test = embeddings.pooled_of(split.test.ids)
    classes = len(table.labels)
    if protocol == "leaky-early-stopping":
        view.record(f"head of {embeddings.name}", view.ids)
        pooled = embeddings.pooled_of(view.ids)
        heads = fit_path(pooled, view.labels, classes, sorted(strengths))
        head = best_on_test(heads, test, unsealed_labels(split, table))
    else:
        over = embeddings.pooled_of(table.ids) if protocol == "leaky-normaliser" else None
        head = partition_head(embeddings, view, view.labels, target.strength, classes, over)
    return softmax(head.predict(test), axis=1).astype(np.float32)
