"""The training loop of fits and of pretrainings."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import repeat
from typing import Literal

import torch
from torch import Tensor, nn

from serbench.api import Batch, LossShape, LossTerms, SerbenchError, StudentOutput, StudentShape
from serbench.learning.fit.audio import UnlabelledBatches
from serbench.learning.fit.batches import Batches, TeacherSources
from serbench.learning.fit.parts import check_parts, freeze, rate_of, train_mode
from serbench.learning.fit.readings import Readings
from serbench.learning.fit.task import TrainingTask
from serbench.learning.front_ends import shape_of
from serbench.settings import OptimiserSettings, TrainingSettings


class Optimisation:
    """A student and its loss, trained together.

    Args:
        epochs: total number of epochs, for the schedule.
        per_epoch: batches of an epoch.

    Attributes:
        readings: collects the loss's readings for each utterance; None: they are not collected.
        unlabelled: gives a batch without labels for each batch of an epoch; None: no such batches.
        step_seconds: seconds spent in steps so far.
    """

    def __init__(
        self,
        student: nn.Module,
        loss: nn.Module,
        settings: OptimiserSettings,
        epochs: int,
        per_epoch: int,
        device: torch.device,
    ) -> None:
        self.student, self.loss = student, loss
        self.settings = settings
        self.device = device
        self.readings: Readings | None = None
        self.unlabelled: UnlabelledBatches | None = None
        self.step_seconds = 0.0
        self.frozen = settings.freeze if isinstance(settings, TrainingSettings) else ()
        freeze(student, self.frozen)
        self.optimizer = make_optimizer(student, loss, settings)
        self.schedule = make_schedule(
            self.optimizer, settings, epochs, math.ceil(per_epoch / settings.accumulate)
        )
        self.bf16 = resolve_precision(settings.precision, device) == "bf16"
        self._trained = [p for group in self.optimizer.param_groups for p in group["params"]]

    @classmethod
    def of(
        cls, task: TrainingTask, batches: Batches, settings: OptimiserSettings, epochs: int
    ) -> Optimisation:
        """Student, loss and optimiser of a task; initial weights come from torch's generator.

        Raises:
            SerbenchError: ``freeze`` or ``rates`` do not fit the student.
        """
        assert task.loss is not None
        device = torch.device(task.device)
        student, shape = built(task)
        if isinstance(settings, TrainingSettings):
            check_parts(student, settings)
        sizes = loss_shape(student, shape, batches.teachers, batches.labels, device)
        loss = task.loss.build(sizes).to(device)
        return cls(student, loss, settings, epochs, batches.per_epoch, device)

    def epoch(self, name: str, number: int, batches: Batches) -> dict[str, float]:
        """Pass once over ``batches`` for the task ``name``; return the mean of each loss term.

        Raises:
            SerbenchError: the loss stopped being finite.
        """
        train_mode(self.student, self.frozen)
        self.loss.train()
        sums: dict[str, Tensor] = {}
        groups = grouped(batches.per_epoch, self.settings.accumulate)
        more = repeat(None, batches.per_epoch)
        if self.unlabelled is not None:
            more = (batch for _, batch in self.unlabelled.epoch())
        for (rows, batch), other, group in zip(batches.epoch(), more, groups, strict=True):
            started = time.perf_counter()
            terms = self.step(batch, *group, unlabelled=other)
            for term, value in terms.items():  # summed on the device, without waiting for it
                sums[term] = sums[term] + value.detach() if term in sums else value.detach()
            self.step_seconds += time.perf_counter() - started
            if self.readings is not None:
                self.readings.take(self.loss, number, rows)
        means = {term: float(value) / batches.per_epoch for term, value in sums.items()}
        if not all(map(math.isfinite, means.values())):
            section = "training" if isinstance(self.settings, TrainingSettings) else "pretrain"
            shown = ", ".join(f"{term} {value:.3g}" for term, value in means.items())
            raise SerbenchError(
                f"{name}: the loss is no longer finite in epoch {number} ({shown}); lower "
                f"{section}.learning_rate or a weight of the loss"
            )
        return means

    def step(
        self, batch: Batch, place: int = 1, size: int = 1, unlabelled: Batch | None = None
    ) -> LossTerms:
        """Do the forward pass, the loss and the backward pass; return the loss's terms by name.

        Gradients are averaged over groups of ``size`` batches, and ``batch`` is number ``place`` of
        its group. After the last batch of a group, gradients are clipped and weights are updated.
        ``unlabelled`` has windows without a label; its total is added.
        """
        terms = self.loss(batch, self._heard(batch))
        if unlabelled is not None:
            with statistics_kept(self.student):
                heard = self._heard(unlabelled)
            more = self.loss.unlabelled(unlabelled, heard)  # pyright: ignore[reportCallIssue]
            terms = {**terms, **more, "total": terms["total"] + more["total"]}
        if place == 1:
            self.optimizer.zero_grad(set_to_none=True)
        (terms["total"] / size).backward()
        if place == size:
            if self.settings.clip_norm is not None:
                nn.utils.clip_grad_norm_(self._trained, self.settings.clip_norm)
            self.optimizer.step()
            self.schedule.step()
        return terms

    def _heard(self, batch: Batch) -> StudentOutput:
        """The student's output for a batch, in single precision."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            return in_float32(self.student(batch.features, batch.lengths))


@contextmanager
def statistics_kept(student: nn.Module) -> Iterator[None]:
    """Inside, batch norm uses each batch's own statistics and leaves its running ones unchanged.

    Evaluation uses the running statistics for speech of the corpus, which unlabelled speech is not.
    """
    norms = [m for m in student.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum


def grouped(batches: int, size: int) -> Iterator[tuple[int, int]]:
    """For each batch of an epoch, its place in its group (from 1) and the group's size.

    Example:
        >>> list(grouped(5, 2))
        [(1, 2), (2, 2), (1, 2), (2, 2), (1, 1)]
    """
    for start in range(0, batches, size):
        own = min(size, batches - start)
        yield from ((place, own) for place in range(1, own + 1))


def in_float32(output: StudentOutput) -> StudentOutput:
    """A student's output in float32: with bfloat16, a loss's exponentials and means lose digits."""
    return replace(
        output,
        logits=output.logits.float(),
        embedding=output.embedding.float(),
        maps=tuple(values.float() for values in output.maps),
        last_map=output.last_map.float(),
    )


def built(task: TrainingTask) -> tuple[nn.Module, StudentShape]:
    """A task's student and its shape; initial weights come from torch's generator."""
    shape = shape_of(task.front_end, task.num_classes)
    student = task.student.build(shape)
    return student.to(task.device, memory_format=torch.channels_last), shape  # pyright: ignore[reportCallIssue]


def loss_shape(
    student: nn.Module,
    shape: StudentShape,
    teachers: TeacherSources,
    labels: Tensor,
    device: torch.device,
) -> LossShape:
    """Sizes that a loss is built for; two silent windows give the sizes of the student's maps.

    Labels below 0 mean unlabelled audio.
    """
    student.eval()
    with torch.inference_mode():
        silent = torch.zeros(2, shape.channels, shape.n_mels, 100, device=device)
        output = student(silent, torch.full((2,), 100, device=device))
    return LossShape(
        num_classes=shape.num_classes,
        embedding_dim=output.embedding.shape[1],
        map_dims=tuple((m.shape[1], m.shape[2]) for m in output.maps),
        last_map_dim=output.last_map.shape[1],
        pooled_dims=tuple(pooled.shape[1] for pooled in teachers.pooled),
        frame_dims=tuple(frames.width for frames in teachers.frames),
        num_teachers=teachers.count,
        label_counts=label_counts(labels, shape.num_classes),
    )


def label_counts(labels: Tensor, num_classes: int) -> tuple[int, ...]:
    """How often each class occurs in ``labels (N,)``; empty if a label is below 0 (no label)."""
    if bool((labels < 0).any()):
        return ()
    return tuple(torch.bincount(labels.cpu(), minlength=num_classes).tolist())


@contextmanager
def seeded(task: TrainingTask) -> Iterator[None]:
    """Inside, torch's generators are seeded by the task; afterwards they have their old states."""
    devices = [task.device] if torch.device(task.device).type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(task.seed)
        yield


def make_optimizer(
    student: nn.Module, loss: nn.Module, settings: OptimiserSettings
) -> torch.optim.Optimizer:
    """Adam or AdamW over all parameters that are not frozen.

    AdamW decays matrices only, Adam adds L2 to everything as in the paper. Neither decays the
    parameters that a module names in ``undecayed`` (see ``api.Loss``).
    """
    rates = settings.rates if isinstance(settings, TrainingSettings) else {}
    factors = [(p, rate_of(name, rates)) for name, p in student.named_parameters()]
    factors += [(p, 1.0) for p in loss.parameters()]
    spared = undecayed(student) | undecayed(loss)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter, factor in factors:
        if parameter.requires_grad:
            decays = parameter not in spared and (
                settings.optimizer == "adam" or parameter.ndim > 1
            )
            decay = settings.weight_decay if decays else 0.0
            groups.setdefault((factor * settings.learning_rate, decay), []).append(parameter)
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    return kind(
        [
            {"params": parameters, "lr": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ],
        lr=settings.learning_rate,
        betas=settings.betas,
    )


def undecayed(module: nn.Module) -> set[nn.Parameter]:
    """The parameters that ``module``, or a module in it, names in ``undecayed``."""
    return {
        part.get_parameter(name)
        for part in module.modules()
        for name in getattr(part, "undecayed", ())
    }


def make_schedule(
    optimizer: torch.optim.Optimizer, settings: OptimiserSettings, epochs: int, per_epoch: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Linear warm-up, then what ``settings.schedule`` says; ``per_epoch`` counts updates."""
    steps = epochs * per_epoch
    warm = max(1, round(settings.warmup * steps))

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        if settings.schedule == "cosine":
            return half_cosine((step - warm) / max(1, steps - warm))
        return factor_at(step / per_epoch, settings)

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def factor_at(epoch: float, settings: OptimiserSettings) -> float:
    """The factor on the learning rate after so many epochs, for all schedules but ``cosine``."""
    if settings.schedule == "step" and epoch >= settings.step_from:
        drops = 1 + (epoch - settings.step_from) // settings.step_epochs
        return settings.step_factor**drops
    if settings.schedule == "restarts":
        share = (epoch % settings.restart_epochs) / settings.restart_epochs
        return settings.floor + (1.0 - settings.floor) * half_cosine(share)
    return 1.0


def half_cosine(share: float) -> float:
    """Half a cosine: 1 for a ``share`` of 0, 0 for a ``share`` of 1."""
    return 0.5 * (1.0 + math.cos(math.pi * share))


def resolve_precision(
    precision: Literal["auto", "fp32", "bf16"], device: torch.device
) -> Literal["fp32", "bf16"]:
    """Precision of forward passes: ``auto`` is bfloat16 autocast if the hardware has it."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    has = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return "bf16" if has else "fp32"
