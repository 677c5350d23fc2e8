"""One optimisation step of a student and a loss, and what it needs: shared by all training."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from serbench.api import Batch, LossShape, LossTerms, StudentOutput, StudentShape
from serbench.settings import OptimiserSettings


@dataclass
class Optimisation:
    """A student and its loss, trained together.

    Args:
        steps: how many there will be, for the schedule.
    """

    student: nn.Module
    loss: nn.Module
    settings: OptimiserSettings
    steps: int
    device: torch.device

    def __post_init__(self) -> None:
        self.optimizer = make_optimizer([self.student, self.loss], self.settings)
        self.schedule = make_schedule(self.optimizer, self.settings, self.steps)
        self.bf16 = resolve_precision(self.settings.precision, self.device) == "bf16"
        self._trained: list[Tensor] = [
            p for group in self.optimizer.param_groups for p in group["params"]
        ]

    def step(self, batch: Batch) -> LossTerms:
        """Forward, loss, backward, clip, update; the loss's terms by name."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            output = self.student(batch.features, batch.lengths)
        terms = self.loss(batch, in_float32(output))
        self.optimizer.zero_grad(set_to_none=True)
        terms["total"].backward()
        if self.settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._trained, self.settings.clip_norm)
        self.optimizer.step()
        self.schedule.step()
        return terms


def in_float32(output: StudentOutput) -> StudentOutput:
    """What a loss is given of a student: exponentials and means of bfloat16 lose whole digits."""
    return replace(
        output,
        logits=output.logits.float(),
        embedding=output.embedding.float(),
        maps=tuple(values.float() for values in output.maps),
        last_map=output.last_map.float(),
    )


class TermMeans:
    """Mean of each term of a loss over the steps of an epoch, without a wait for the device."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._steps = 0

    def add(self, terms: LossTerms) -> None:
        """One step's terms."""
        self._steps += 1
        for name, value in terms.items():
            new = value.detach()
            self._sums[name] = self._sums[name] + new if name in self._sums else new

    def means(self) -> dict[str, float]:
        """By name."""
        return {name: float(value) / self._steps for name, value in self._sums.items()}


def loss_shape(
    student: nn.Module,
    shape: StudentShape,
    pooled_dims: tuple[int, ...],
    frame_dims: tuple[int, ...],
    num_teachers: int,
    device: torch.device,
) -> LossShape:
    """Sizes that a loss is built for; those of the student's maps from two silent windows."""
    student.eval()
    with torch.inference_mode():
        silent = torch.zeros(2, shape.channels, shape.n_mels, 100, device=device)
        output = student(silent, torch.full((2,), 100, device=device))
    return LossShape(
        num_classes=shape.num_classes,
        embedding_dim=output.embedding.shape[1],
        map_dims=tuple((m.shape[1], m.shape[2]) for m in output.maps),
        last_map_dim=output.last_map.shape[1],
        pooled_dims=pooled_dims,
        frame_dims=frame_dims,
        num_teachers=num_teachers,
    )


def make_optimizer(modules: list[nn.Module], settings: OptimiserSettings) -> torch.optim.Optimizer:
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


def make_schedule(
    optimizer: torch.optim.Optimizer, settings: OptimiserSettings, steps: int
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


def resolve_precision(
    precision: Literal["auto", "fp32", "bf16"], device: torch.device
) -> Literal["fp32", "bf16"]:
    """What forward passes run in: ``auto`` is bfloat16 autocast where the hardware has it."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    has = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return "bf16" if has else "fp32"
