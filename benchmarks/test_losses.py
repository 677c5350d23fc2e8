"""Losses and their terms alone, forward and backward, on the output of the student in use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor, nn

from serbench.api import Batch, Loss, LossShape, Student, StudentOutput, StudentShape
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry

TEACHERS = 2
TEACHER_FRAMES, FRAME_DIM = 150, 512
"""Of a teacher with 50 frames a second over a window of 3 s."""

OFF = {
    "task": "none", "label_smoothing": 0.0, "beta": "one", "k": 0.0, "alpha": 0.0,
    "lambda_angle": 0.0, "lambda_hint": 0.0, "lambda_2": 0.0, "adaptive_weights": False,
}  # fmt: skip
"""No term of AKD."""

TERMS = {
    "task-ce": {"task": "ce"},
    "task-ccc": {"task": "ccc"},
    "task-weighted-by-the-gate": {"task": "ce", "beta": "floor"},
    "kl": {"k": 1.0},
    "kl-of-weighted-teachers": {"k": 1.0, "adaptive_weights": True, "lambda_2": 0.1},
    "cos": {"alpha": 1.0},
    "angle-cosine": {"lambda_angle": 1.0},
    "angle-arccos": {"lambda_angle": 1.0, "angle": "arccos"},
    "hint-pooled": {"lambda_hint": 1.0, "hint_target": "pooled"},
    "hint-frames": {"lambda_hint": 1.0, "hint_target": "frames"},
}
"""One term of AKD at a time, with what it cannot do without."""


@pytest.fixture(scope="session")
def output(registry: Registry, batch: Batch) -> StudentOutput:
    """What hybrid-small gives for the batch, as leaves that collect gradients."""
    student: Student = registry.make("students", "hybrid-small")  # pyright: ignore[reportAssignmentType]
    with torch.no_grad():
        given = student.build(StudentShape(7))(batch.features, batch.lengths)
    return replace(
        given,
        logits=leaf(given.logits),
        embedding=leaf(given.embedding),
        maps=tuple(map(leaf, given.maps)),
        last_map=leaf(given.last_map),
    )


def leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().float().clone().requires_grad_()


@pytest.fixture(scope="session")
def two_teachers(batch: Batch) -> Batch:
    """The batch with two teachers' soft targets, pooled embeddings and frames."""
    generator = torch.Generator().manual_seed(4)
    size, classes = len(batch.labels), batch.teacher_logits.shape[2]
    frames = (size, TEACHER_FRAMES, FRAME_DIM)
    return replace(
        batch,
        teacher_logits=torch.randn(TEACHERS, size, classes, generator=generator),
        teacher_pooled=batch.teacher_pooled * TEACHERS,
        teacher_frames=tuple(torch.randn(*frames, generator=generator) for _ in range(TEACHERS)),
        teacher_lengths=(torch.full((size,), TEACHER_FRAMES),) * TEACHERS,
    )


@pytest.mark.parametrize("name", load_registry(load_plugins()).losses)
def test_loss(
    benchmark: BenchmarkFixture,
    name: str,
    batch: Batch,
    output: StudentOutput,
    make_loss: Callable[[str, StudentOutput, Batch], nn.Module],
) -> None:
    """Each of the registry, as its entry sets it."""
    measure(benchmark, make_loss(name, output, batch), batch, output)


@pytest.mark.parametrize("term", TERMS)
def test_term_of_akd(
    benchmark: BenchmarkFixture,
    registry: Registry,
    two_teachers: Batch,
    output: StudentOutput,
    term: str,
) -> None:
    """Over 32 windows and two teachers."""
    benchmark.group = "terms of AKD"
    plugin = registry.plugins.get("losses", "akd")
    loss: Loss = plugin(plugin.Params(**OFF | TERMS[term]))  # pyright: ignore[reportAssignmentType, reportCallIssue, reportAttributeAccessIssue]
    pooled, frames = two_teachers.teacher_pooled, two_teachers.teacher_frames
    shape = LossShape(
        num_classes=output.logits.shape[1],
        embedding_dim=output.embedding.shape[1],
        map_dims=tuple((each.shape[1], each.shape[2]) for each in output.maps),
        last_map_dim=output.last_map.shape[1],
        pooled_dims=tuple(each.shape[1] for each in pooled) if "pooled" in loss.needs else (),
        frame_dims=tuple(each.shape[2] for each in frames) if "frames" in loss.needs else (),
        num_teachers=TEACHERS,
    )
    measure(benchmark, loss.build(shape), two_teachers, output)


def measure(
    benchmark: BenchmarkFixture, loss: nn.Module, batch: Batch, output: StudentOutput
) -> None:
    def forward_and_backward() -> Tensor:
        total = loss(batch, output)["total"]
        total.backward()
        return total.detach()

    assert torch.isfinite(benchmark(forward_and_backward))
