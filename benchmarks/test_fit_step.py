"""Training: one step of each student with each loss, and what the loop adds to bare PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import nn

from serbench.api import Batch, Loss, Student, StudentOutput, StudentShape
from serbench.corpus import CorpusTable
from serbench.features import Frames
from serbench.fit import FitTask, TeacherSignal, fit
from serbench.fit.loop import use_bf16
from serbench.leakage import PartitionView
from serbench.registry import Registry
from serbench.segments import segment_partition
from serbench.settings import MethodSettings, TrainingSettings
from serbench.splits import Partition, outer_splits

MakeLoss = Callable[[str, StudentOutput, Batch], nn.Module]

CPU = torch.device("cpu")
EPOCHS = 2
BATCHES = 3
"""Batches of an epoch of ``test_loop``."""


def make_step(
    registry: Registry, student: str, loss: str, batch: Batch, make_loss: MakeLoss
) -> Callable[[], float]:
    """Forward, loss, backward, clipping and optimiser, in the precision that runs use here."""
    torch.manual_seed(0)
    plugin: Student = registry.make("students", student)  # pyright: ignore[reportAssignmentType]
    model = plugin.build(StudentShape(7)).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    with torch.no_grad():
        module = make_loss(loss, model(batch.features, batch.lengths), batch)
    parameters = [*model.parameters(), *module.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4)
    bf16 = use_bf16("auto", CPU)

    def step() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            output = model(batch.features, batch.lengths)
        total = module(batch, output)["total"]
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()
        return float(total.detach())

    return step


@pytest.mark.parametrize("loss", ["ce", "kd", "akd"])
@pytest.mark.parametrize("student", ["hybrid-tiny", "hybrid-small", "transformer"])
def test_step(
    benchmark: BenchmarkFixture,
    registry: Registry,
    batch: Batch,
    make_loss: MakeLoss,
    student: str,
    loss: str,
) -> None:
    """32 windows of 3 s."""
    benchmark.group = f"step of {student}"
    step = make_step(registry, student, loss, batch, make_loss)
    assert np.isfinite(benchmark.pedantic(step, rounds=4, warmup_rounds=1))


@pytest.fixture
def task(registry: Registry, table: CorpusTable, frames: Frames) -> FitTask:
    """AKD into hybrid-tiny on 96 utterances, then predictions for 8."""
    split = outer_splits(table, "pairs", 5)[0]
    ids = split.train.ids[: BATCHES * 32]
    units = tuple(dict.fromkeys(table.unit_of(table.by_id[i]) for i in ids))
    train = PartitionView(Partition("outer-1/train", ids, units), table)
    test = Partition("outer-1/test", split.test.ids[:8], split.test.units, "test")
    settings = MethodSettings(training=TrainingSettings(epochs=EPOCHS))
    draw = np.random.default_rng(0)
    student: Student = registry.make("students", "hybrid-tiny")  # pyright: ignore[reportAssignmentType]
    loss: Loss = registry.make("losses", "akd")  # pyright: ignore[reportAssignmentType]
    teacher = TeacherSignal(
        name="random",
        logits=draw.normal(size=(len(ids), 7)).astype(np.float32),
        pooled=draw.normal(size=(len(ids), 1024)).astype(np.float32),
    )
    return FitTask(
        name="akd/seed-0/outer-1",
        key="benchmark",
        method="akd",
        student=student,
        loss=loss,
        settings=settings,
        num_classes=7,
        train=train,
        validation=None,
        segments=segment_partition(table, test, 3.0, 0.5),
        features=frames,
        teachers=(teacher,),
        backend=registry.make("backends", "torch"),  # pyright: ignore[reportArgumentType]
        epochs=EPOCHS,
        seed=0,
        device="cpu",
    )


def test_loop(benchmark: BenchmarkFixture, task: FitTask) -> None:
    """A whole fit of six steps: to be held against ``test_bare_loop``."""
    benchmark.group = "a fit of six steps"
    result = benchmark.pedantic(fit, args=(task, lambda _: None), rounds=3, warmup_rounds=1)
    benchmark.extra_info["share_outside_steps"] = 1 - result.step_seconds / result.seconds
    assert len(result.history) == EPOCHS


def test_bare_loop(
    benchmark: BenchmarkFixture, registry: Registry, batch: Batch, make_loss: MakeLoss
) -> None:
    """As many steps of the same student and loss on one batch: no data, no prediction."""
    benchmark.group = "a fit of six steps"
    step = make_step(registry, "hybrid-tiny", "akd", batch, make_loss)

    def loop() -> float:
        return [step() for _ in range(EPOCHS * BATCHES)][-1]

    assert np.isfinite(benchmark.pedantic(loop, rounds=3, warmup_rounds=1))
