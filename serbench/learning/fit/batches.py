"""Training batches: random windows with the teachers' outputs for them.

Every draw depends only on the seed, so all methods of a run receive the same windows and masks. A
batch is made by a few tensor operations, never by a loop over its windows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from serbench.api import Batch, FrontEnd
from serbench.learning.features import (
    Normaliser,
    TrainingFrames,
    middle,
    moments,
    student_input,
    window_size,
)
from serbench.learning.fit.augment import augmented
from serbench.learning.fit.task import FitTask
from serbench.learning.teach.embeddings import TrainingEmbeddings
from serbench.learning.teach.targets import scale_of
from serbench.settings import MethodSettings


class Windows(Protocol):
    """Frames of N recordings, in memory or on the disk, that windows are cut from."""

    count: Tensor
    rate_hz: float

    @property
    def width(self) -> int:
        """Number of values of a frame."""
        ...

    def windows(self, rows: Tensor, first: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """See ``FrameReader.windows``."""
        ...


@dataclass(frozen=True)
class TeacherSources:
    """The teachers' outputs for all N recordings, on the device.

    Attributes:
        logits: ``(m, N, C)``.
        pooled: for each teacher ``(N, P_t)``, standardised over the recordings.
        frames: for each teacher its frames, layers mixed, standardised over the recordings.
    """

    logits: Tensor
    pooled: tuple[Tensor, ...] = ()
    frames: tuple[Windows, ...] = ()

    @property
    def count(self) -> int:
        """Number of teachers with an output here."""
        return max(len(self.logits), len(self.pooled), len(self.frames))


class Batches(ABC):
    """An endless supply of epochs.

    Args:
        speech: frames of N recordings, normalised.
        normaliser: the normaliser of these frames.
        labels: ``(N,)`` int64.
        teachers: outputs for the same recordings in the same order.
        settings: settings of windows and augmentation.
        front_end: the front end that computed the frames.
        size: frames of a window.
        seed: seed of all draws.

    Attributes:
        per_epoch: batches of an epoch.
    """

    per_epoch: int

    def __init__(
        self,
        speech: Windows,
        normaliser: Normaliser,
        labels: Tensor,
        teachers: TeacherSources,
        settings: MethodSettings,
        front_end: FrontEnd,
        size: int,
        seed: int,
    ) -> None:
        self.speech = speech
        self.normaliser = normaliser
        self.labels = labels
        self.teachers = teachers
        self.settings = settings
        self.front_end = front_end
        self.size = size
        self.generator = torch.Generator().manual_seed(seed)

    @abstractmethod
    def epoch(self) -> Iterator[tuple[Tensor, Batch]]:
        """Batches of random windows, each with ``(B,)`` int64, the recordings of its windows."""
        ...

    def _batch(self, rows: Tensor, draw: Tensor) -> Batch:
        """One window of each of ``rows (B,)``, augmented, with the teachers' outputs for it."""
        return self._taught(rows, draw, augment=True)

    def taught_batch(self, rows: Tensor, draw: Tensor) -> Batch:
        """As ``_batch``, without augmentation."""
        return self._taught(rows, draw, augment=False)

    def _taught(self, rows: Tensor, draw: Tensor, *, augment: bool) -> Batch:
        frames, lengths, first = self._cut(rows, draw)
        if augment:
            frames = augmented(
                frames, lengths, self.settings.augment, self.front_end, self.normaliser,
                self.speech.rate_hz, self.generator,
            )  # fmt: skip
        hints = [self._hint(teacher, rows, first, draw.dtype) for teacher in self.teachers.frames]
        return Batch(
            features=student_input(frames, lengths, self.front_end.channels),
            lengths=lengths,
            labels=self.labels[rows],
            teacher_logits=self.teachers.logits[:, rows],
            teacher_pooled=tuple(pooled[rows] for pooled in self.teachers.pooled),
            teacher_frames=tuple(values.float() for values, _ in hints),
            teacher_lengths=tuple(real for _, real in hints),
        )

    def plain(self, rows: Tensor, draw: Tensor) -> tuple[Tensor, Tensor]:
        """One window of each of ``rows (B,)`` without augmentation: features and lengths."""
        frames, lengths, _ = self._cut(rows, draw)
        return student_input(frames, lengths, self.front_end.channels), lengths

    def _cut(self, rows: Tensor, draw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Frames, lengths and first frames of one window of each of ``rows (B,)``.

        A window is the middle of its recording, or ``draw (B,)`` gives its beginning as a share of
        the possible ones.
        """
        if self.settings.segments.cut == "centre":
            first = middle(self.speech.count[rows], self.size)
        else:
            spare = (self.speech.count[rows] - self.size + 1).clamp_min(1)
            first = (draw * spare).long()
        size = self.size
        if self.front_end.channels == 1:  # no deltas: copy only up to the last real frame
            size = int((self.speech.count[rows] - first).clamp(1, size).max())
        return *self.speech.windows(rows, first, size), first

    def _hint(
        self, teacher: Windows, rows: Tensor, first: Tensor, precision: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """A teacher's frames for the time span of the student's windows."""
        ratio = teacher.rate_hz / self.speech.rate_hz
        start = (first.to(precision) * ratio).round().long()
        start = torch.minimum(start, teacher.count[rows] - 1)
        return teacher.windows(rows, start, max(1, round(self.size * ratio)))


def teacher_sources(task: FitTask, device: torch.device) -> TeacherSources:
    """The teachers' outputs that ``task.loss`` needs, for the training partition only."""
    assert task.loss is not None
    needs = task.loss.needs
    count = len(task.train.ids) * max(1, len(task.crops))
    logits = torch.zeros(0, count, task.num_classes, device=device)
    pooled: list[Tensor] = []
    frames: list[TrainingFrames] = []
    if "soft_targets" in needs:
        stacked = np.stack([t.logits for t in task.teachers if t.logits is not None])
        logits = torch.from_numpy(stacked).to(device)
    for teacher in task.teachers:
        if "pooled" in needs and teacher.pooled is not None:
            task.train.record(scale_of(teacher.name), task.train.ids)
            pooled.append(standardised(teacher.pooled).to(device))
        if "frames" in needs and teacher.frames is not None:
            what = f"hints of {teacher.name}"
            own = teacher.frames.fitting(task.train, what, *teacher.others)
            if teacher.layer_weights is not None and len(teacher.layer_weights) > 1:
                own.change(partial(_mixed, torch.from_numpy(np.array(teacher.layer_weights))))
            standardise(own)
            frames.append(own.place(device))
    return TeacherSources(logits, tuple(pooled), tuple(frames))


def _mixed(weights: Tensor, frames: Tensor) -> Tensor:
    """Mix layers by their weights: ``(n, L · D)`` to ``(n, D)``."""
    layers = frames.unflatten(1, (len(weights), -1))
    return torch.einsum("l,fld->fd", weights.to(layers), layers)


def standardised(train: TrainingEmbeddings) -> Tensor:
    """The first layer of embeddings ``(n, d)``, with mean 0 and deviation 1 in every dimension.

    Encoders have a few dimensions that are always large. Without standardisation, all frames have
    nearly the same direction, and a student learns nothing from matching it.
    """
    return _standard(torch.from_numpy(train.pooled[:, 0]))


def standardise(train: TrainingFrames) -> None:
    """Give frames mean 0 and deviation 1 in every dimension, in their own precision."""
    if train.values is not None:
        train.change(_standard)
        return
    mean, deviation = moments(train.blocks())
    train.change(partial(_scaled, mean.float(), deviation.float()))


def _standard(values: Tensor) -> Tensor:
    deviation, mean = torch.std_mean(values.float(), dim=0, correction=0)
    return _scaled(mean, deviation, values)


def _scaled(mean: Tensor, deviation: Tensor, values: Tensor) -> Tensor:
    mean, deviation = mean.to(values.device), deviation.to(values.device).clamp_min(1e-5)
    return ((values.float() - mean) / deviation).to(values.dtype)


class TrainingBatches(Batches):
    """Windows of one training partition: random ones, or its utterances' fixed crops.

    Args:
        task: the fit that the partition belongs to.
        frames: frames of the partition's N utterances in the order of its ids, or of the K crops of
            each: the first crop of each utterance, the second of each, … They are normalised in
            place.
        normaliser: fitted on the utterances.
        teachers: aligned with ``frames``.
        device: the device of all tensors.
    """

    def __init__(
        self,
        task: FitTask,
        frames: TrainingFrames,
        normaliser: Normaliser,
        teachers: TeacherSources,
        device: torch.device,
    ) -> None:
        frames.normalise(normaliser)
        longest = int(frames.count.max())
        size = min(window_size(frames, task.settings.segments), longest)
        own = torch.from_numpy(task.train.labels).to(device)
        self.utterances, self.crops = len(own), len(task.crops)
        settings = task.settings
        if self.crops:  # each crop has its own gain, for teachers, too
            augment = settings.augment.model_copy(update={"gain_db": 0.0})
            settings = settings.model_copy(update={"augment": augment})
        labels = own.repeat(max(1, self.crops))
        super().__init__(
            frames, normaliser, labels, teachers, settings, task.front_end, size, task.seed
        )
        # The last, smaller batch is left out: its utterances occur in other epochs.
        self.batch_size = min(settings.training.batch_size, self.utterances)
        self.per_epoch = self.utterances // self.batch_size

    def epoch(self) -> Iterator[tuple[Tensor, Batch]]:
        """Each utterance at most once, in random order, one random window or crop of each."""
        order = torch.randperm(self.utterances, generator=self.generator).to(self.labels.device)
        for rows in order.split(self.batch_size)[: self.per_epoch]:
            draw = torch.rand(len(rows), generator=self.generator).to(rows.device)
            if self.crops:
                chosen = (draw * self.crops).long().clamp_max(self.crops - 1)
                crops = chosen * self.utterances + rows
                yield rows, self._batch(crops, torch.zeros_like(draw))
            else:
                yield rows, self._batch(rows, draw)
