"""Fit one student on one training partition."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from serbench.api import EpochEvent, LossShape, SerbenchError, StudentShape
from serbench.evaluate import score
from serbench.features import FrameReader, Normaliser
from serbench.fit.batches import TeacherSources, TrainingBatches, teacher_sources
from serbench.fit.predict import predict
from serbench.fit.task import EpochRecord, FitResult, FitTask
from serbench.settings import TrainingSettings

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
    student: nn.Module
    loss: nn.Module
    batches: TrainingBatches
    normaliser: Normaliser
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    device: torch.device
    bf16: bool
    history: list[EpochRecord] = field(default_factory=list)
    average: dict[str, Tensor] | None = None
    step_seconds: float = 0.0
    best_epoch: int = 0
    best_ua: float = -1.0
    best_state: dict[str, Tensor] | None = None

    @classmethod
    def start(
        cls, task: FitTask, reader: FrameReader, normaliser: Normaliser, device: torch.device
    ) -> _Training:
        """Build student, loss, batches and optimiser."""
        shape = StudentShape(task.num_classes, 3, task.settings.features.n_mels)
        student = task.student.build(shape).to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        teachers = teacher_sources(task, device)
        loss = task.loss.build(_loss_shape(student, shape, teachers, task.num_classes, device))
        loss = loss.to(device)
        batches = TrainingBatches(task, reader, normaliser, teachers, device)
        settings = task.settings.training
        optimizer = _optimizer([student, loss], settings)
        schedule = _schedule(optimizer, settings, task.epochs * batches.per_epoch)
        return cls(
            task, student, loss, batches, normaliser, optimizer, schedule, device,
            bf16=use_bf16(settings.precision, device),
        )  # fmt: skip

    @property
    def watches_validation(self) -> bool:
        return self.task.settings.training.early_stopping and self.task.validation is not None

    def epoch(self, number: int) -> EpochRecord:
        """One pass over the training partition."""
        self.student.train()
        self.loss.train()
        sums: dict[str, Tensor] = {}
        clip = self.task.settings.training.clip_norm
        trained = [p for group in self.optimizer.param_groups for p in group["params"]]
        for batch in self.batches.epoch():
            started = time.perf_counter()
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                output = self.student(batch.features, batch.lengths)
            terms = self.loss(batch, output)
            self.optimizer.zero_grad(set_to_none=True)
            terms["total"].backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(trained, clip)
            self.optimizer.step()
            self.schedule.step()
            self.step_seconds += time.perf_counter() - started
            for name, value in terms.items():
                sums[name] = sums.get(name, torch.zeros((), device=self.device)) + value.detach()
        self._average_weights(number)
        means = {name: float(value) / self.batches.per_epoch for name, value in sums.items()}
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


def _loss_shape(
    student: nn.Module,
    shape: StudentShape,
    teachers: TeacherSources,
    num_classes: int,
    device: torch.device,
) -> LossShape:
    """Sizes of the student's maps, from two silent windows of one second."""
    student.eval()
    with torch.inference_mode():
        silent = torch.zeros(2, shape.channels, shape.n_mels, 100, device=device)
        output = student(silent, torch.full((2,), 100, device=device))
    return LossShape(
        num_classes=num_classes,
        embedding_dim=output.embedding.shape[1],
        map_dims=tuple((m.shape[1], m.shape[2]) for m in output.maps),
        last_map_dim=output.last_map.shape[1],
        pooled_dims=tuple(pooled.shape[1] for pooled in teachers.pooled),
        frame_dims=tuple(frames.values.shape[1] for frames in teachers.frames),
        num_teachers=max(len(teachers.logits), len(teachers.pooled), len(teachers.frames)),
    )


def _optimizer(modules: list[nn.Module], settings: TrainingSettings) -> torch.optim.Optimizer:
    """Adam or AdamW; AdamW decays matrices only, Adam adds L2 to everything as in the paper."""
    parameters = [p for module in modules for p in module.parameters()]
    if settings.optimizer == "adam":
        return torch.optim.Adam(
            parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def _schedule(
    optimizer: torch.optim.Optimizer, settings: TrainingSettings, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Linear warm-up, then constant or half a cosine down to zero."""
    warm = max(1, round(settings.warmup * steps))

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        if settings.schedule == "constant":
            return 1.0
        return 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def use_bf16(precision: str, device: torch.device) -> bool:
    """Whether forward passes run under bfloat16 autocast: ``auto`` where the hardware has it."""
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
