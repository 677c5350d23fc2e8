"""Losses alone, forward and backward, on the output of the student that methods use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor, nn

from serbench.api import Batch, Student, StudentOutput, StudentShape
from serbench.registry import Registry


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


@pytest.mark.parametrize("name", ["ce", "kd", "akd"])
def test_loss(
    benchmark: BenchmarkFixture,
    name: str,
    batch: Batch,
    output: StudentOutput,
    make_loss: Callable[[str, StudentOutput, Batch], nn.Module],
) -> None:
    loss = make_loss(name, output, batch)

    def forward_and_backward() -> Tensor:
        total = loss(batch, output)["total"]
        total.backward()
        return total.detach()

    assert torch.isfinite(benchmark(forward_and_backward))
