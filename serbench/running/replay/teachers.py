"""A run's teachers and their heads, recomputed as in the run."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from serbench.api import StoreError, Teacher
from serbench.api.offline import offline
from serbench.data.corpus.table import CorpusTable
from serbench.learning.teach.embeddings import TeacherEmbeddings
from serbench.learning.teach.heads import Head, fit_head
from serbench.running.executors.local import LocalExecutor
from serbench.running.executors.spread import spread_here
from serbench.running.harness.embeddings import embed_table
from serbench.running.harness.folds import Folds
from serbench.running.harness.observer import Observer
from serbench.running.harness.targets import fit_targets, head_of
from serbench.running.harness.views import Views
from serbench.running.replay.stored import StoredPlan
from serbench.settings import HeadSettings


def run_teacher(stored: StoredPlan, name: str) -> Teacher:
    """A teacher's plugin with the weights of the run.

    Raises:
        StoreError: the run has no such teacher, or its weights here differ.
        TeacherError: the weights are not available.
    """
    teacher = stored.teacher(name)
    with offline():  # the teacher keeps what it finds: nothing is downloaded later
        here = teacher.model_digest
    kept = stored.plan["model_digests"].get(name)
    if here != kept:
        raise StoreError(
            f"the weights of teacher {name} are not those of the run: {here} here, {kept} in "
            "plan.json"
        )
    return teacher


def run_embeddings(
    stored: StoredPlan,
    name: str,
    table: CorpusTable,
    cache: Path,
    device: torch.device,
    watch: Observer,
) -> TeacherEmbeddings:
    """A teacher's embeddings of the corpus, from the cache or computed.

    Raises:
        StoreError, TeacherError: as ``run_teacher``; or the embeddings cannot be computed.
    """
    teacher = run_teacher(stored, name)
    advance = partial(watch.advance, f"teacher {name}")
    spread = spread_here(device.type)
    return embed_table(teacher, name, table, cache, device, advance, spread)


def head_settings(stored: StoredPlan) -> HeadSettings:
    """The run's settings for its teachers' heads: those of its first method with a teacher."""
    taught = next(method for method in stored.plan["methods"] if method["teachers"])
    return stored.candidate(taught, taught["candidates"][0]).settings.head


def fold_head(
    stored: StoredPlan, folds: Folds, embeddings: TeacherEmbeddings, outer: int, cache: Path
) -> Head:
    """A teacher's head, fitted on a whole outer training side. Its strength is chosen by
    cross-fitting there.

    The protocol must not be broken on purpose: broken protocols fit heads in another way.

    Args:
        stored: the run's plan.
        folds: the run's folds.
        embeddings: the teacher's embeddings of the whole corpus.
        outer: the fold, from 1.
        cache: root of the cache; a strength that was chosen before is read from it.
    """
    split = folds.outer[outer - 1]
    settings = head_settings(stored)
    view = Views(folds.table, folds.outer).make(outer - 1, split.train)
    train = embeddings.fitting(view, head_of(embeddings.name))
    name, classes = embeddings.name, len(folds.table.labels)
    one, views = LocalExecutor(), {view.name: view}
    targets = fit_targets({name: embeddings}, views, [settings], classes, cache, one)
    return fit_head(train, classes, targets[name, view.name, settings].strength)
