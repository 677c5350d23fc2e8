"""Fit one student on one training partition."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from serbench.api import EpochEvent
from serbench.learning.arithmetic import window_flops
from serbench.learning.evaluate import score
from serbench.learning.features import Normaliser, TrainingFrames
from serbench.learning.fit.audio import UnlabelledBatches
from serbench.learning.fit.batches import TrainingBatches, teacher_sources
from serbench.learning.fit.checkpoint import Checkpoint
from serbench.learning.fit.inherit import each_once, inherit
from serbench.learning.fit.optimise import Optimisation, seeded
from serbench.learning.fit.predict import predict
from serbench.learning.fit.probe import PROBE_OF, classifier_of, probe
from serbench.learning.fit.readings import Readings
from serbench.learning.fit.task import EpochRecord, FitResult, FitTask, FloatArray

OnEpoch = Callable[[EpochEvent], None]


def fit(task: FitTask, on_epoch: OnEpoch) -> FitResult:
    """Train ``task.student`` and predict ``task.segments``.

    Everything fitted here (normaliser, linear probe, weights, projections of the loss) is fitted
    on ``task.train`` and recorded there. Warm-up, schedule and average depend on
    ``training.epochs``, but training stops after ``task.epochs``: a refit repeats the first epochs
    of an inner fit. The result is deterministic for a seed, a device and a number of threads, also
    if the fit was stopped and continues from ``task.checkpoint``.

    Raises:
        PluginError: a linear probe needs ``classify``, which the student lacks.
        SerbenchError: the loss stopped being finite, or the student lacks a part to freeze.
        LeakageError: L6, data from outside the training partition.
    """
    started = time.perf_counter()
    device = torch.device(task.device)
    frames = task.features.fitting(task.train, f"student of {task.method}").place(device)
    normaliser = normaliser_of(task, frames)
    heard = crops_of(task, device) or frames
    with seeded(task):
        batches = TrainingBatches(task, heard, normaliser, teacher_sources(task, device), device)
        if heard is not frames:
            frames.normalise(normaliser)
        settings = task.settings.training
        training = Optimisation.of(task, batches, settings, settings.epochs)
        training.readings = Readings(len(frames), task.epochs)
        if task.unlabelled is not None:
            training.unlabelled = UnlabelledBatches(
                task, normaliser, batches.batch_size, batches.size, batches.per_epoch, device
            )
        if settings.probe:
            classifier_of(training.student, task.num_classes, task.student.name)
        weights = _Weights(task, training.student, normaliser)
        noted, earlier_s = _trained(task, training, batches, weights, frames, on_epoch)
    weights.load()
    ids, posteriors = weights.predict()
    history = [EpochRecord(n, each["terms"], each["ua"]) for n, each in enumerate(noted, start=1)]
    return FitResult(
        name=task.name,
        key=task.key,
        ids=ids,
        posteriors=posteriors,
        best_epoch=len(history) if weights.best_state is None else weights.best_epoch,
        validation_ua=None if task.validation is None else weights.ua(ids, posteriors),
        history=tuple(history),
        readings=training.readings.arrays(),
        parameters=sum(p.numel() for p in training.student.parameters()),
        flops=window_flops(training.student, task.front_end, device),
        seconds=time.perf_counter() - started + earlier_s,
        step_seconds=training.step_seconds,
        fitted=task.train.fitted,
        state=state_of(training.student, normaliser),
    )


def _trained(
    task: FitTask,
    training: Optimisation,
    batches: TrainingBatches,
    weights: _Weights,
    frames: TrainingFrames,
    on_epoch: OnEpoch,
) -> tuple[list[dict[str, Any]], float]:
    """Train; return the record of each epoch, and the seconds of epochs before an interruption."""
    more: dict[str, Any] = {"weights": weights, "readings": training.readings}
    if training.unlabelled is not None:
        more["unlabelled"] = training.unlabelled
    checkpoint = Checkpoint(task.checkpoint, training, batches.generator, more)
    noted = checkpoint.resume()
    _start(task, training, batches, resumed=bool(noted))
    if task.settings.training.probe:
        _probe(task, weights, frames, resumed=bool(noted))
    for epoch, each in enumerate(noted, start=1):
        on_epoch(EpochEvent(task.name, epoch, task.epochs, each["terms"], each["ua"], cached=True))
    earlier_s = sum(each["seconds"] for each in noted)
    if noted:
        training.step_seconds = noted[-1]["step_seconds"]
    while not weights.complete(len(noted)):
        epoch, began = len(noted) + 1, time.perf_counter()
        terms = training.epoch(task.name, epoch, batches)
        weights.average_in(epoch)
        ua = weights.validate(epoch) if weights.watched else None
        seconds = time.perf_counter() - began
        spent = {"seconds": seconds, "step_seconds": training.step_seconds}
        noted.append({"terms": terms, "ua": ua, **spent})
        checkpoint.save(noted)
        on_epoch(EpochEvent(task.name, epoch, task.epochs, terms, ua, seconds=seconds))
    return noted, earlier_s


def _start(
    task: FitTask, training: Optimisation, batches: TrainingBatches, *, resumed: bool
) -> None:
    """Set the weights that training starts from: a pretraining's, a pretrained model's, or new.

    A resumed fit has its weights already, but it still records what an inheritance was given.
    """
    if task.initial is not None:
        if not resumed:
            task.initial.load_into(training.student, training.loss)
    elif task.student.card is not None:
        task.train.record(f"inheritance of {task.method}", task.train.ids)
        if not resumed:
            heard = each_once(batches, batches.batch_size, task.seed)
            inherit(task.student, training.student, heard)


def _probe(task: FitTask, weights: _Weights, frames: TrainingFrames, *, resumed: bool) -> None:
    if resumed:
        task.train.record(f"{PROBE_OF}{task.method}", task.train.ids)
        return
    probe(task, weights.student, frames)
    if weights.watched:
        weights.validate(0)


def state_of(student: nn.Module, normaliser: Normaliser) -> dict[str, Tensor]:
    """The state of a fit that is saved: the student's tensors and the normaliser's."""
    state = {name: value.cpu().contiguous() for name, value in student.state_dict().items()}
    return state | {
        "normaliser.mean": normaliser.mean.cpu(),
        "normaliser.deviation": normaliser.deviation.cpu(),
    }


def crops_of(task: FitTask, device: torch.device) -> TrainingFrames | None:
    """Frames of the crops that the student is trained on; None: it is trained on random windows."""
    if not task.crops:
        return None
    first, *others = task.crops
    return first.fitting(task.train, f"student of {task.method}", *others).place(device)


def normaliser_of(task: FitTask, frames: TrainingFrames) -> Normaliser:
    """The normaliser of a broken protocol, or one fitted on the training partition."""
    if task.normaliser is not None:
        return task.normaliser
    task.train.record("normaliser", task.train.ids)
    return Normaliser.fit(frames, task.front_end.params.normalise)


@dataclass
class _Weights:
    """Which weights of a fit are evaluated: the best, the averaged, or the last."""

    KEPT: ClassVar = ("average", "best_epoch", "best_ua", "best_state")
    task: FitTask
    student: nn.Module
    normaliser: Normaliser
    average: dict[str, Tensor] | None = None
    best_epoch: int = 0
    best_ua: float = -1.0
    best_state: dict[str, Tensor] | None = None

    @property
    def watched(self) -> bool:
        """Whether each epoch is scored on the validation partition."""
        return self.task.settings.training.early_stopping and self.task.validation is not None

    def complete(self, epochs: int) -> bool:
        """Whether a fit ends after so many epochs: all, or ``patience`` without a better UA."""
        waited = epochs - self.best_epoch
        stopped = self.watched and waited >= self.task.settings.training.patience
        return epochs >= self.task.epochs or stopped

    def average_in(self, epoch: int) -> None:
        """Exponential moving average over the second half of the schedule's epochs."""
        settings = self.task.settings.training
        decay = settings.average
        if decay == 0.0 or epoch < settings.epochs / 2:
            return
        if self.average is None:
            self.average = self._copy()
            return
        for name, value in self.student.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1.0 - decay)

    def validate(self, epoch: int) -> float:
        """Return the UA on the inner validation partition after an epoch; keep the best weights."""
        raw = self._copy()
        if self.average is not None:
            self.student.load_state_dict(self.average)
        ua = self.ua(*self.predict())
        if ua > self.best_ua:
            self.best_ua, self.best_epoch, self.best_state = ua, epoch, self._copy()
        self.student.load_state_dict(raw)
        return ua

    def state_dict(self) -> Mapping[str, Any]:
        """See ``checkpoint.Stateful``."""
        return {name: getattr(self, name) for name in self.KEPT}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See ``checkpoint.Stateful``."""
        for name in self.KEPT:
            setattr(self, name, state[name])

    def load(self) -> None:
        """Give the student the weights that are evaluated."""
        kept = self.best_state or self.average
        if kept is not None:
            self.student.load_state_dict(kept)

    def predict(self) -> tuple[tuple[str, ...], FloatArray]:
        """See ``predict``."""
        task = self.task
        return predict(
            self.student, self.normaliser, task.features, task.segments, task.settings.segments,
            task.backend, torch.device(task.device),
        )  # fmt: skip

    def ua(self, ids: tuple[str, ...], posteriors: FloatArray) -> float:
        """UA of posteriors of the validation partition."""
        assert self.task.validation is not None
        labels = self.task.validation.label_of(ids)
        return score(labels, posteriors.argmax(axis=1), self.task.num_classes).ua

    def _copy(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.student.state_dict().items()}
