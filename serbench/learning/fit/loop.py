"""Fit one student on one training partition."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from serbench.api import EpochEvent, SerbenchError, StudentShape
from serbench.learning.evaluate import score
from serbench.learning.features import Normaliser, TrainingFrames
from serbench.learning.fit.batches import TrainingBatches, teacher_sources
from serbench.learning.fit.optimise import Optimisation, TermMeans, loss_shape
from serbench.learning.fit.predict import predict
from serbench.learning.fit.readings import Readings
from serbench.learning.fit.task import EpochRecord, FitResult, FitTask

OnEpoch = Callable[[EpochEvent], None]


def fit(task: FitTask, on_epoch: OnEpoch) -> FitResult:
    """Train ``task.student`` and predict ``task.segments``.

    Everything fitted here (normaliser, weights, projections of the loss) is fitted on
    ``task.train`` and noted on it. Deterministic for a seed, a device and a number of threads.

    Raises:
        SerbenchError: the loss stopped being finite.
        LeakageError: L6, data from outside the training partition.
    """
    started = time.perf_counter()
    device = torch.device(task.device)
    reader = task.features.fitting(task.train, f"student of {task.method}").place(device)
    normaliser = task.normaliser
    if normaliser is None:
        task.train.record("normaliser", task.train.ids)
        normaliser = Normaliser.fit(reader)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(task.seed)
        training = _Training.start(task, reader, normaliser, device)
        for epoch in range(1, task.epochs + 1):
            record = training.epoch(epoch)
            if training.watches_validation:
                record = training.validate(record)
            training.history.append(record)
            on_epoch(EpochEvent(task.name, epoch, task.epochs, record.terms, record.validation_ua))
            if training.out_of_patience(epoch):
                break
    training.keep_evaluated_weights()
    ids, posteriors = predict(
        training.student, normaliser, task.features, task.segments, task.settings.segments,
        task.backend, device,
    )  # fmt: skip
    validation_ua = None
    if task.validation is not None:
        labels = task.validation.label_of(ids)
        validation_ua = score(labels, posteriors.argmax(axis=1), task.num_classes).ua
    state = {
        name: value.cpu().contiguous() for name, value in training.student.state_dict().items()
    }
    state |= {
        "normaliser.mean": normaliser.mean.cpu(),
        "normaliser.deviation": normaliser.deviation.cpu(),
    }
    return FitResult(
        name=task.name,
        key=task.key,
        ids=ids,
        posteriors=posteriors,
        best_epoch=training.best_epoch or len(training.history),
        validation_ua=validation_ua,
        history=tuple(training.history),
        readings=training.readings.arrays(),
        parameters=sum(p.numel() for p in training.student.parameters()),
        seconds=time.perf_counter() - started,
        step_seconds=training.step_seconds,
        fitted=task.train.fitted,
        state=state,
    )


@dataclass
class _Training:
    """The state of one fit."""

    task: FitTask
    optimisation: Optimisation
    batches: TrainingBatches
    normaliser: Normaliser
    device: torch.device
    readings: Readings
    history: list[EpochRecord] = field(default_factory=list)
    average: dict[str, Tensor] | None = None
    step_seconds: float = 0.0
    best_epoch: int = 0
    best_ua: float = -1.0
    best_state: dict[str, Tensor] | None = None

    @classmethod
    def start(
        cls, task: FitTask, reader: TrainingFrames, normaliser: Normaliser, device: torch.device
    ) -> _Training:
        """Build student, loss, batches and optimiser."""
        shape = StudentShape(task.num_classes, 3, task.settings.features.n_mels)
        student = task.student.build(shape).to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        teachers = teacher_sources(task, device)
        loss = task.loss.build(
            loss_shape(
                student,
                shape,
                tuple(pooled.shape[1] for pooled in teachers.pooled),
                tuple(frames.values.shape[1] for frames in teachers.frames),
                max(len(teachers.logits), len(teachers.pooled), len(teachers.frames)),
                device,
            )
        ).to(device)
        if task.initial is not None:
            task.initial.load_into(student, loss)
        batches = TrainingBatches(task, reader, normaliser, teachers, device)
        settings = task.settings.training
        steps = task.epochs * batches.per_epoch
        return cls(
            task,
            Optimisation(student, loss, settings, steps, device),
            batches,
            normaliser,
            device,
            readings=Readings(len(reader), task.epochs),
        )

    @property
    def student(self) -> nn.Module:
        return self.optimisation.student

    @property
    def watches_validation(self) -> bool:
        return self.task.settings.training.early_stopping and self.task.validation is not None

    def epoch(self, number: int) -> EpochRecord:
        """One pass over the training partition."""
        self.student.train()
        self.optimisation.loss.train()
        sums = TermMeans()
        for rows, batch in self.batches.epoch():
            started = time.perf_counter()
            sums.add(self.optimisation.step(batch))
            self.step_seconds += time.perf_counter() - started
            self.readings.take(self.optimisation.loss, number, rows)
        self._average_weights(number)
        means = sums.means()
        if not all(map(math.isfinite, means.values())):
            shown = ", ".join(f"{name} {value:.3g}" for name, value in means.items())
            raise SerbenchError(
                f"{self.task.name}: the loss is no longer finite in epoch {number} ({shown}); "
                "lower training.learning_rate or a weight of the loss"
            )
        return EpochRecord(number, means)

    def _average_weights(self, number: int) -> None:
        """Exponential moving average over the second half of the epochs."""
        decay = self.task.settings.training.average
        if decay == 0.0 or number < self.task.epochs / 2:
            return
        state = self.student.state_dict()
        if self.average is None:
            self.average = {name: value.clone() for name, value in state.items()}
            return
        for name, value in state.items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1.0 - decay)

    def validate(self, record: EpochRecord) -> EpochRecord:
        """UA on the inner validation partition after an epoch; keeps the best weights."""
        task = self.task
        assert task.validation is not None
        raw = {name: value.clone() for name, value in self.student.state_dict().items()}
        if self.average is not None:
            self.student.load_state_dict(self.average)
        ids, posteriors = predict(
            self.student, self.normaliser, task.features, task.segments, task.settings.segments,
            task.backend, self.device,
        )  # fmt: skip
        labels = task.validation.label_of(ids)
        ua = score(labels, posteriors.argmax(axis=1), task.num_classes).ua
        if ua > self.best_ua:
            self.best_ua, self.best_epoch = ua, record.epoch
            self.best_state = {n: v.clone() for n, v in self.student.state_dict().items()}
        self.student.load_state_dict(raw)
        return EpochRecord(record.epoch, record.terms, ua)

    def out_of_patience(self, number: int) -> bool:
        """Whether early stopping ends the fit here."""
        patience = self.task.settings.training.patience
        return self.watches_validation and number - self.best_epoch >= patience

    def keep_evaluated_weights(self) -> None:
        """Load the weights that are evaluated: the best, the averaged, or the last."""
        kept = self.best_state or self.average
        if kept is not None:
            self.student.load_state_dict(kept)
