"""Training batches: random windows of a training partition with their teachers' views.

Every draw comes from the fit's seed alone, so all methods of a run see the same windows and
masks. A batch is made by a handful of tensor operations, never by a loop over its windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from serbench.api import Batch
from serbench.learning.features import FrameReader, Normaliser, TrainingFrames, student_input
from serbench.learning.fit.augment import augmented
from serbench.learning.fit.task import FitTask
from serbench.learning.teach.embeddings import TrainingEmbeddings
from serbench.learning.teach.targets import scale_of


@dataclass(frozen=True)
class TeacherSources:
    """What the teachers say of the whole training partition, on the device.

    Attributes:
        logits: ``(m, N, C)``.
        pooled: for each teacher ``(N, P_t)``, standardised over the partition.
        frames: for each teacher its frames of the partition, layers mixed, standardised likewise.
    """

    logits: Tensor
    pooled: tuple[Tensor, ...]
    frames: tuple[FrameReader, ...]


def teacher_sources(task: FitTask, device: torch.device) -> TeacherSources:
    """What ``task.loss`` needs of the teachers, restricted to the training partition."""
    needs = task.loss.needs
    count = len(task.train.ids)
    logits = torch.zeros(0, count, task.num_classes, device=device)
    pooled: list[Tensor] = []
    frames: list[FrameReader] = []
    if "soft_targets" in needs:
        stacked = np.stack([t.logits for t in task.teachers if t.logits is not None])
        logits = torch.from_numpy(stacked).to(device)
    for teacher in task.teachers:
        if "pooled" in needs and teacher.pooled is not None:
            task.train.record(scale_of(teacher.name), task.train.ids)
            pooled.append(standardised(teacher.pooled).to(device))
        if "frames" in needs and teacher.frames is not None:
            own = teacher.frames.fitting(task.train, f"hints of {teacher.name}")
            if teacher.layer_weights is not None and len(teacher.layer_weights) > 1:
                weights = torch.from_numpy(np.array(teacher.layer_weights))
                layers = own.values.unflatten(1, (len(weights), -1))
                own.values = torch.einsum("l,fld->fd", weights.to(layers.dtype), layers)
            own.values = standardised(own)
            frames.append(own.place(device))
    return TeacherSources(logits, tuple(pooled), tuple(frames))


def standardised(train: TrainingEmbeddings | TrainingFrames) -> Tensor:
    """``(n, d)`` with mean 0 and deviation 1 in every dimension, in its own precision.

    Of embeddings, the first layer.

    Encoders have a few dimensions that are large everywhere; without this, the direction of every
    frame is nearly the same, and matching it teaches nothing.
    """
    if isinstance(train, TrainingEmbeddings):
        values = torch.from_numpy(train.pooled[:, 0])
    else:
        values = train.values
    exact = values.float()
    deviation, mean = torch.std_mean(exact, dim=0, correction=0)
    return ((exact - mean) / deviation.clamp_min(1e-5)).to(values.dtype)


class TrainingBatches:
    """An endless supply of epochs over one training partition.

    Args:
        reader: log-mel frames of the partition, in the order of its ids.
        normaliser: fitted on the same partition.
        teachers: aligned with the same order.
    """

    def __init__(
        self,
        task: FitTask,
        reader: TrainingFrames,
        normaliser: Normaliser,
        teachers: TeacherSources,
        device: torch.device,
    ) -> None:
        self.settings = task.settings
        self.reader = reader
        self.normaliser = normaliser
        self.teachers = teachers
        self.device = device
        self.labels = torch.from_numpy(task.train.labels).to(device)
        self.generator = torch.Generator().manual_seed(task.seed)
        reader.values = normaliser(reader.values.float())
        longest = int(reader.count.max())
        self.size = min(round(task.settings.segments.window_s * reader.rate_hz), longest)
        # The last, smaller batch is left out: its utterances come up in other epochs.
        self.batch_size = min(task.settings.training.batch_size, len(reader))
        self.per_epoch = len(reader) // self.batch_size

    def epoch(self) -> Iterator[tuple[Tensor, Batch]]:
        """Each utterance at most once, in random order, one random window of each.

        Yields:
            ``(B,)`` int64, which utterances; and the batch of their windows.
        """
        order = torch.randperm(len(self.reader), generator=self.generator).to(self.device)
        for number in range(self.per_epoch):
            rows = order[number * self.batch_size : (number + 1) * self.batch_size]
            yield rows, self._batch(rows)

    def _batch(self, rows: Tensor) -> Batch:
        spare = (self.reader.count[rows] - self.size + 1).clamp_min(1)
        draw = torch.rand(len(rows), generator=self.generator).to(self.device)
        first = (draw * spare).long()
        frames, lengths = self.reader.windows(rows, first, self.size)
        frames = augmented(
            frames, lengths, self.settings.augment, self.normaliser, self.reader.rate_hz,
            self.generator,
        )  # fmt: skip
        teacher_frames, teacher_lengths = self._teacher_windows(rows, first)
        return Batch(
            features=student_input(frames, lengths),
            lengths=lengths,
            labels=self.labels[rows],
            teacher_logits=self.teachers.logits[:, rows],
            teacher_pooled=tuple(pooled[rows] for pooled in self.teachers.pooled),
            teacher_frames=teacher_frames,
            teacher_lengths=teacher_lengths,
        )

    def _teacher_windows(
        self, rows: Tensor, first: Tensor
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The teachers' frames over the same time as the students' windows."""
        values, lengths = [], []
        for reader in self.teachers.frames:
            ratio = reader.rate_hz / self.reader.rate_hz
            start = torch.minimum((first * ratio).round().long(), reader.count[rows] - 1)
            window, real = reader.windows(rows, start, max(1, round(self.size * ratio)))
            values.append(window.float())
            lengths.append(real)
        return tuple(values), tuple(lengths)
