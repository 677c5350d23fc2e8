"""The protocols that are broken on purpose. All code that breaks the rules is here, and what it
does is recorded.

These protocols show how much a leak inflates scores. The guard checks their records like any
others; the certificate then says what was broken on purpose, and every table repeats it. No other
module makes ``TrainingFrames`` or ``TrainingEmbeddings`` of anything but a training side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from serbench.api import Estimator
from serbench.data.corpus.table import CorpusTable
from serbench.learning.evaluate import score
from serbench.learning.features import Frames, Normaliser, TrainingFrames
from serbench.learning.fit.task import FitTask
from serbench.learning.teach.embeddings import TeacherEmbeddings, TrainingEmbeddings
from serbench.learning.teach.heads import Head
from serbench.protocol.guard.view import FittedRecord, PartitionView, id_set_digest
from serbench.protocol.splits.records import Partition, Split
from serbench.running.harness.folds import searches
from serbench.running.plan.records import Candidate, RunPlan
from serbench.settings import EPOCH_ON_TEST, ProtocolName


def leaky_fit(task: FitTask, protocol: ProtocolName, split: Split, table: CorpusTable) -> FitTask:
    """The refit of an outer fold under a broken protocol. Under any other protocol it is unchanged.

    ``leaky-early-stopping``, alone or with random folds, keeps the epoch with the best UA on the
    outer test side.
    ``leaky-normaliser`` normalises with the mean and deviation of the whole corpus.
    """
    if protocol in EPOCH_ON_TEST:
        if isinstance(task.student, Estimator):
            return task  # an estimator has no epochs
        test = replace(split.test, role="validation")
        training = task.settings.training.model_copy(
            update={"early_stopping": True, "patience": task.epochs}
        )
        settings = task.settings.model_copy(update={"training": training})
        return replace(task, validation=PartitionView(test, table), settings=settings)
    if protocol == "leaky-normaliser":
        if task.front_end.params.normalise == "none":
            return task  # nothing is fitted to such frames, so nothing leaks
        normalise = task.front_end.params.normalise
        return replace(task, normaliser=corpus_normaliser(task.features, table, normalise))
    return task


def choosing_folds(protocol: ProtocolName, outer: Split, inner: Sequence[Split]) -> Sequence[Split]:
    """The folds on which settings are chosen within an outer fold: usually its inner folds.

    ``leaky-search`` chooses on the outer fold itself, whose test side it unseals.
    """
    if protocol == "leaky-search":
        return (replace(outer, test=replace(outer.test, role="validation")),)
    return inner


def leak_of_student(protocol: ProtocolName, candidate: Candidate, *, searched: bool) -> str:
    """The part of a student that leaks, besides its folds; empty: nothing leaks.

    Args:
        protocol: a broken one.
        candidate: the candidate. An estimator has no epochs.
        searched: whether settings are chosen.
    """
    if protocol == "leaky-search":
        return "settings" if searched else ""
    if protocol == "leaky-normaliser":
        return "" if candidate.front_end.params.normalise == "none" else "normaliser"
    return "epoch" if protocol in EPOCH_ON_TEST and not candidate.estimates else ""


UNTOUCHED: Mapping[ProtocolName, str] = {
    "leaky-normaliser": "its front end is not normalised (front_end.normalise = none)",
    "leaky-search": "it has nothing to choose",
    "leaky-early-stopping": "it has no epochs",
}
"""Reasons why a broken protocol does not change a method."""


def untouched(plan: RunPlan) -> list[str]:
    """A line for each method that a broken protocol does not change."""
    protocol = plan.protocol.name
    return [
        f"{protocol} has no effect on {method.name}: {UNTOUCHED[protocol]}"
        for method in plan.methods
        if protocol in UNTOUCHED
        and not any(
            leak_of_student(protocol, each, searched=searches(method)) for each in method.candidates
        )
    ]


def corpus_normaliser(
    features: Frames, table: CorpusTable, normalise: str = "partition"
) -> Normaliser:
    """Mean and deviation of every filter over the whole corpus, test utterances included."""
    return Normaliser.fit(TrainingFrames(features, table.ids), normalise)


def corpus_embeddings(embeddings: TeacherEmbeddings, table: CorpusTable) -> TrainingEmbeddings:
    """A teacher's embeddings of the whole corpus, passed off as those of a training side."""
    units = tuple(table.unit_of(utterance) for utterance in table.utterances)
    return TrainingEmbeddings(embeddings.pooled_of(table.ids), table.label_index, units)


def leaky_records(
    protocol: ProtocolName, what: str, chosen: str, split: Split, table: CorpusTable
) -> tuple[FittedRecord, ...]:
    """Records of forbidden fits of a broken protocol, for the certificate.

    Args:
        protocol: the protocol's name; a proper protocol has no such records.
        what: the fitted part, such as ``"student of akd"``.
        chosen: the leaking part of it, such as ``"epoch"`` or ``"normaliser"``;
            empty: nothing leaks.
        split: the outer fold.
        table: the corpus.
    """
    if chosen and (protocol in EPOCH_ON_TEST or protocol == "leaky-search"):
        return (_record(f"{chosen} of {what}", split.test, split.test.ids),)
    if chosen and protocol == "leaky-normaliser":
        return (_record(f"normaliser of {what}", split.train, table.ids),)
    return ()


def best_on_test(
    heads: Sequence[Head], pooled: NDArray[np.float32], labels: NDArray[np.int64]
) -> Head:
    """The head with the best UA on the same utterances that it will be scored on.

    Args:
        heads: one per strength.
        pooled: ``(U, L, P)`` pooled embeddings of the test side.
        labels: ``(U,)`` labels of the test side.
    """
    scores = [
        score(labels, head.predict(pooled).argmax(axis=1), head.num_classes).ua for head in heads
    ]
    return heads[int(np.argmax(scores))]


def unsealed_labels(split: Split, table: CorpusTable) -> NDArray[np.int64]:
    """``(U,)`` labels of an outer test side, read although it is sealed."""
    return PartitionView(replace(split.test, role="validation"), table).labels


def _record(what: str, partition: Partition, ids: Sequence[str]) -> FittedRecord:
    return FittedRecord(
        what=what, partition=partition.name, utterances=len(ids), digest=id_set_digest(ids)
    )
