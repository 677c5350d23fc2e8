"""Label-free distillation on unlabelled audio, before any fold.

What it gives is an initial state that has seen no label and heard no utterance of the corpus, so
that all folds may start from it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from serbench.api import Batch, EpochEvent, Loss, SerbenchError, Student, StudentShape
from serbench.learning.features import Frames, Normaliser, student_input
from serbench.learning.fit.augment import augmented
from serbench.learning.fit.optimise import Optimisation, TermMeans, loss_shape
from serbench.learning.fit.task import InitialState
from serbench.settings import MethodSettings

OnEpoch = Callable[[EpochEvent], None]

SAMPLED_FRAMES = 200_000
"""Means and deviations are taken over about this many frames, evenly spread."""

BLOCK_FRAMES = 8_192
"""Frames whose layers are mixed at once to take these."""

NO_LABEL = -1
"""In a batch without labels: whatever reads it as a class fails."""


@dataclass(frozen=True)
class TeacherFrames:
    """A teacher's frames of the unlabelled audio.

    Attributes:
        frames: each row all L layers end to end.
        layers: L; nothing was learnt yet that could weigh them, so their mean is taken.
    """

    name: str
    frames: Frames
    layers: int


@dataclass(frozen=True)
class PretrainTask:
    """One pretraining.

    Attributes:
        name: ``METHOD/seed-S/pretraining``.
        key: content address of everything that determines the result.
        loss: a label-free loss, see ``Loss.label_free``.
        num_classes: C of the classifier that the folds will train.
        features: log-mel of the unlabelled audio.
        teachers: their frames of the same recordings in the same order.
        seed: of initial weights, windows and masks.
    """

    name: str
    key: str
    student: Student
    loss: Loss
    settings: MethodSettings
    num_classes: int
    features: Frames
    teachers: tuple[TeacherFrames, ...]
    seed: int
    device: str


@dataclass(frozen=True)
class PretrainResult:
    """An initial state, and how it came about.

    Attributes:
        history: mean of each term of the loss, by epoch.
        seconds: wall time.
    """

    name: str
    key: str
    state: InitialState
    history: tuple[dict[str, float], ...]
    seconds: float


def pretrain(task: PretrainTask, on_epoch: OnEpoch) -> PretrainResult:
    """Train a student to give its teachers' frames, on audio without labels.

    Raises:
        SerbenchError: the loss stopped being finite.
    """
    started = time.perf_counter()
    device = torch.device(task.device)
    settings = task.settings.pretrain
    history: list[dict[str, float]] = []
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(task.seed)
        shape = StudentShape(task.num_classes, 3, task.settings.features.n_mels)
        student = task.student.build(shape).to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        batches = AudioBatches(task, device)
        dims = tuple(teacher.width for teacher in batches.teachers)
        loss = task.loss.build(loss_shape(student, shape, (), dims, len(dims), device)).to(device)
        steps = settings.epochs * batches.per_epoch
        optimisation = Optimisation(student, loss, settings, steps, device)
        student.train()
        loss.train()
        for epoch in range(1, settings.epochs + 1):
            sums = TermMeans()
            for batch in batches.epoch():
                sums.add(optimisation.step(batch))
            history.append(sums.means())
            if not all(map(math.isfinite, history[-1].values())):
                raise SerbenchError(
                    f"{task.name}: the loss is no longer finite in epoch {epoch}; "
                    "lower pretrain.learning_rate"
                )
            on_epoch(EpochEvent(task.name, epoch, settings.epochs, history[-1]))
    state = InitialState(_on_cpu(student.state_dict()), _on_cpu(loss.state_dict()))
    return PretrainResult(task.name, task.key, state, tuple(history), time.perf_counter() - started)


def _on_cpu(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in state.items()}


class _Source:
    """Frames on the disk, scaled to mean 0 and deviation 1, read window by window."""

    def __init__(self, frames: Frames, layers: int = 1) -> None:
        self.frames = frames
        self.layers = layers
        self.normaliser = self._fitted()

    @property
    def width(self) -> int:
        """Values of a frame, layers mixed."""
        return len(self.normaliser.mean)

    def windows(
        self, rows: NDArray[np.int64], first: NDArray[np.int64], size: int
    ) -> tuple[Tensor, Tensor]:
        """As ``FrameReader.windows``, scaled; only these frames are read from the disk."""
        lengths = (self.frames.count[rows] - first).clip(1, size)
        offsets = np.minimum(np.arange(size)[None, :], lengths[:, None] - 1)
        places = (self.frames.start[rows] + first)[:, None] + offsets
        values = self._mixed(self.frames.values[places.ravel()])
        return self.normaliser(values).unflatten(0, places.shape), torch.from_numpy(lengths)

    def _fitted(self) -> Normaliser:
        """Mean and deviation over a sample, block by block: all layers of it can be gigabytes."""
        values = self.frames.values[:: max(1, len(self.frames.values) // SAMPLED_FRAMES)]
        total = squares = torch.zeros((), dtype=torch.float64)
        for first in range(0, len(values), BLOCK_FRAMES):
            block = self._mixed(np.array(values[first : first + BLOCK_FRAMES])).double()
            total, squares = total + block.sum(dim=0), squares + block.square().sum(dim=0)
        mean = total / len(values)
        deviation = (squares / len(values) - mean.square()).clamp_min(0.0).sqrt()
        return Normaliser(mean.float(), deviation.clamp_min(1e-3).float())

    def _mixed(self, values: NDArray[np.floating]) -> Tensor:
        """``(n, L · D)`` to ``(n, D)`` float32, the mean of the layers."""
        return torch.from_numpy(values).unflatten(1, (self.layers, -1)).float().mean(dim=1)


class AudioBatches:
    """An endless supply of windows of unlabelled audio, drawn in proportion to duration.

    Attributes:
        teachers: their frames.
        per_epoch: batches that are as long as the audio, end to end.
    """

    def __init__(self, task: PretrainTask, device: torch.device) -> None:
        self.settings = task.settings
        self.num_classes = task.num_classes
        self.device = device
        self.speech = _Source(task.features)
        self.teachers = tuple(_Source(each.frames, each.layers) for each in task.teachers)
        self.generator = torch.Generator().manual_seed(task.seed)
        self.size = round(task.settings.segments.window_s * task.features.rate_hz)
        windows = int(task.features.count.sum()) // self.size
        self.per_epoch = max(1, windows // task.settings.pretrain.batch_size)
        self._share = torch.from_numpy(task.features.count / task.features.count.sum())

    def epoch(self) -> Iterator[Batch]:
        """As many windows as the audio is long; a recording may come up more than once."""
        for _ in range(self.per_epoch):
            yield self._batch()

    def _batch(self) -> Batch:
        size = self.settings.pretrain.batch_size
        rows = torch.multinomial(self._share, size, replacement=True, generator=self.generator)
        rows = rows.numpy()
        spare = (self.speech.frames.count[rows] - self.size + 1).clip(1)
        first = (torch.rand(size, generator=self.generator).double().numpy() * spare).astype(int)
        frames, lengths = self.speech.windows(rows, first, self.size)
        frames = augmented(
            frames, lengths, self.settings.augment, self.speech.normaliser,
            self.speech.frames.rate_hz, self.generator,
        )  # fmt: skip
        hints = [self._hint(teacher, rows, first) for teacher in self.teachers]
        return Batch(
            features=student_input(frames, lengths).to(self.device),
            lengths=lengths.to(self.device),
            labels=torch.full((size,), NO_LABEL, device=self.device),
            teacher_logits=torch.zeros(0, size, self.num_classes, device=self.device),
            teacher_frames=tuple(values.to(self.device) for values, _ in hints),
            teacher_lengths=tuple(real.to(self.device) for _, real in hints),
        )

    def _hint(
        self, teacher: _Source, rows: NDArray[np.int64], first: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor]:
        """A teacher's frames over the same time as the student's windows."""
        ratio = teacher.frames.rate_hz / self.speech.frames.rate_hz
        start = np.minimum(np.rint(first * ratio).astype(int), teacher.frames.count[rows] - 1)
        return teacher.windows(rows, start, max(1, round(self.size * ratio)))
