"""Training: one step of each student with each loss, and what the loop adds to bare PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import nn

from serbench.api import Batch, Loss, Student, StudentOutput, StudentShape
from serbench.data.corpus.table import CorpusTable
from serbench.learning.features import Frames, Normaliser
from serbench.learning.fit.batches import TrainingBatches, teacher_sources
from serbench.learning.fit.optimise import Optimisation, in_float32, resolve_precision
from serbench.learning.fit.readings import Readings
from serbench.learning.fit.task import FitTask
from serbench.learning.segments import Cutting, segment_partition
from serbench.learning.teach.embeddings import TrainingEmbeddings
from serbench.learning.teach.targets import TeacherSignal
from serbench.protocol.guard.view import PartitionView
from serbench.protocol.splits.outer import outer_splits
from serbench.protocol.splits.records import Partition
from serbench.running.registry.lookup import Registry
from serbench.settings import MethodSettings, TrainingSettings

MakeLoss = Callable[[str, StudentOutput, Batch], nn.Module]

CPU = torch.device("cpu")
SIZE = 64
BATCHES = 4
"""Of an epoch of ``test_epoch``, and how many windows each has."""


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
    bf16 = resolve_precision("auto", CPU) == "bf16"

    def step() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            output = model(batch.features, batch.lengths)
        total = module(batch, in_float32(output))["total"]
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
    """AKD into hybrid-small on 256 utterances, in batches of 64."""
    split = outer_splits(table, "pairs", 5)[0]
    ids = split.train.ids[: BATCHES * SIZE]
    units = tuple(dict.fromkeys(table.unit_of(table.by_id[i]) for i in ids))
    train = PartitionView(Partition("outer-1/train", ids, units), table)
    test = Partition("outer-1/test", split.test.ids[:8], split.test.units, "test")
    settings = MethodSettings(training=TrainingSettings(epochs=1, batch_size=SIZE))
    draw = np.random.default_rng(0)
    student: Student = registry.make("students", "hybrid-small")  # pyright: ignore[reportAssignmentType]
    loss: Loss = registry.make("losses", "akd")  # pyright: ignore[reportAssignmentType]
    teacher = TeacherSignal(
        name="random",
        logits=draw.normal(size=(len(ids), 7)).astype(np.float32),
        pooled=TrainingEmbeddings(
            draw.normal(size=(len(ids), 1, 1024)).astype(np.float32), train.labels, train.units
        ),
    )
    return FitTask(
        name="akd/seed-0/outer-1",
        key="benchmark",
        method="akd",
        student=student,
        loss=loss,
        settings=settings,
        front_end=registry.make("front_ends", "log-mel"),
        num_classes=7,
        train=train,
        validation=None,
        segments=segment_partition(table, test, Cutting(3.0, 0.5)),
        features=frames,
        teachers=(teacher,),
        backend=registry.make("backends", "torch"),  # pyright: ignore[reportArgumentType]
        epochs=1,
        seed=0,
        device="cpu",
    )


def training_of(task: FitTask) -> tuple[TrainingBatches, Optimisation]:
    """Batches and optimisation as ``fit`` makes them, for ``hybrid-small``'s size of step."""
    reader = task.features.fitting(task.train, "benchmark")
    normaliser = Normaliser.fit(reader)
    batches = TrainingBatches(task, reader, normaliser, teacher_sources(task, CPU), CPU)
    torch.manual_seed(0)
    training = Optimisation.of(task, batches, task.settings.training, 1000)
    training.readings = Readings(len(task.train.ids), 1)
    training.student.train()
    return batches, training


@pytest.mark.parametrize("kind", ["loop", "bare"])
def test_epoch(benchmark: BenchmarkFixture, task: FitTask, kind: str) -> None:
    """Four steps of 64 windows. ``loop`` cuts and augments windows and notes readings, as every
    epoch of a fit does; ``bare`` takes steps over tensors that are there. Their ratio is what the
    loop costs.
    """
    benchmark.group = "an epoch of four batches of 64"
    batches, optimisation = training_of(task)
    held = list(batches.epoch())
    assert len(held) == BATCHES

    def loop() -> None:
        assert np.isfinite(optimisation.epoch(task.name, 1, batches)["total"])

    def bare() -> None:
        for _, batch in held:
            optimisation.step(batch)

    benchmark.pedantic(loop if kind == "loop" else bare, rounds=6, warmup_rounds=1)
