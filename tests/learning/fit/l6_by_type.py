"""Fits on what may only be predicted, for ``test_l6_by_type`` to see refused. Never run."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from serbench.learning.features import (
    EvaluationFrames,
    FrameReader,
    Frames,
    Normaliser,
    TrainingFrames,
)
from serbench.learning.fit.batches import TeacherSources, TrainingBatches, standardise, standardised
from serbench.learning.fit.probe import probe
from serbench.learning.fit.task import FitTask
from serbench.learning.teach.crossfit import cross_fit, cross_heard
from serbench.learning.teach.embeddings import TeacherEmbeddings, TrainingEmbeddings
from serbench.learning.teach.heads import fit_head, fit_path
from serbench.learning.teach.targets import TeacherSignal
from serbench.protocol.guard.view import PartitionView
from serbench.settings import HeadSettings

CPU = torch.device("cpu")
CHOSEN = HeadSettings()


def proper(task: FitTask, corpus: Frames, teacher: TeacherEmbeddings, view: PartitionView) -> None:
    frames: TrainingFrames = corpus.fitting(view, "student")
    standardise(frames)
    probe(task, nn.Identity(), frames)
    TrainingBatches(
        task, frames, Normaliser.fit(frames), TeacherSources(torch.zeros(0), (), ()), CPU
    )
    train: TrainingEmbeddings = teacher.fitting(view, "head")
    cross_fit(train, CHOSEN, 4)
    cross_heard(train, teacher.fitting(view, "head", teacher), CHOSEN, 1.0, 4)
    fit_path(train, 4, CHOSEN.strengths)
    fit_head(train, 4, 1.0)
    standardised(train.mixed(np.ones(1, np.float32)))
    TeacherSignal("teacher", pooled=train)


def leaks(
    task: FitTask,
    corpus: Frames,
    teacher: TeacherEmbeddings,
    ids: tuple[str, ...],
    train: TrainingEmbeddings,
) -> None:
    frames: EvaluationFrames = corpus.evaluation(ids)
    either: FrameReader = frames
    scale = Normaliser(torch.zeros(40), torch.ones(40))
    Normaliser.fit(frames)  # refused
    Normaliser.fit(either)  # refused
    Normaliser.fit(corpus)  # refused
    standardise(frames)  # refused
    probe(task, nn.Identity(), frames)  # refused
    TrainingBatches(task, frames, scale, TeacherSources(torch.zeros(0), (), ()), CPU)  # refused
    pooled = teacher.pooled_of(ids)
    cross_fit(pooled, CHOSEN, 4)  # refused
    cross_fit(teacher, CHOSEN, 4)  # refused
    cross_heard(train, pooled, CHOSEN, 1.0, 4)  # refused
    fit_path(pooled, 4, CHOSEN.strengths)  # refused
    fit_head(pooled, 4, 1.0)  # refused
    standardised(pooled)  # refused
    TeacherSignal("teacher", pooled=pooled)  # refused
