"""One utterance of 3 s through each backend of the registry that can run here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from tests_support.trained import trained  # pyright: ignore[reportMissingImports]

from serbench.api import SAMPLE_RATE_HZ, Backend, DeployedModel
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry
from serbench.settings import SegmentSettings

SECONDS = 3


@pytest.fixture(scope="module")
def model(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> DeployedModel:
    """The registry's small hybrid with random weights, which are as quick as trained ones."""
    student = registry.make("students", "hybrid-small")
    audio = [noise(seed)[0] for seed in range(4)]
    made = trained(student, segments=SegmentSettings())
    return made.write(tmp_path_factory.mktemp("model"), audio)


def noise(seed: int) -> np.ndarray:
    shape = (1, SECONDS * SAMPLE_RATE_HZ)
    return np.random.default_rng(seed).normal(0, 0.05, shape).astype(np.float32)


@pytest.mark.parametrize("name", load_registry(load_plugins()).backends)
def test_one_utterance(
    benchmark: BenchmarkFixture, registry: Registry, model: DeployedModel, tmp_path: Path, name: str
) -> None:
    backend: Backend = registry.make("backends", name)  # pyright: ignore[reportAssignmentType]
    if reason := backend.unavailable():
        pytest.skip(reason)
    backend.convert(model, tmp_path)
    predict = backend.open(model, tmp_path, 1)
    assert benchmark(predict, noise(0)).shape == (1, len(model.labels))
