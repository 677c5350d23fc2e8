"""An exported model in use: loading it, one utterance, one step of one stream and of many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from tests_support.trained import trained  # pyright: ignore[reportMissingImports]

from serbench.api import SAMPLE_RATE_HZ
from serbench.running.registry.lookup import Registry
from serbench.settings import SegmentSettings
from serbench_runtime import Model, load

STREAMS = 16
STEP = SAMPLE_RATE_HZ // 2


@pytest.fixture(scope="module")
def exported(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The registry's small hybrid with random weights, which are as quick as trained ones."""
    path = tmp_path_factory.mktemp("model") / "hybrid-small.onnx"
    student = registry.make("students", "hybrid-small")
    model = trained(student, segments=SegmentSettings())
    path.write_bytes(model.graph().SerializeToString())
    return path


@pytest.fixture(scope="module")
def model(exported: Path) -> Model:
    return load(exported)


def noise(rows: int, samples: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.05, (rows, samples)).astype(np.float32)


def test_loading(benchmark: BenchmarkFixture, exported: Path) -> None:
    assert benchmark(load, exported).sample_rate_hz == SAMPLE_RATE_HZ


@pytest.mark.parametrize("seconds", [1, 3, 10])
def test_predicting(benchmark: BenchmarkFixture, model: Model, seconds: int) -> None:
    waveform = noise(1, seconds * SAMPLE_RATE_HZ)[0]
    assert benchmark(model.predict, waveform, SAMPLE_RATE_HZ).duration_s == seconds


def test_a_step_of_one_stream(benchmark: BenchmarkFixture, model: Model) -> None:
    stream = model.stream()
    stream.feed(noise(1, 3 * SAMPLE_RATE_HZ)[0])
    _steps(benchmark, stream.feed, noise(1, STEP)[0])


def test_a_step_of_16_streams(benchmark: BenchmarkFixture, model: Model) -> None:
    streams = model.streams(STREAMS)
    streams.feed(noise(STREAMS, 3 * SAMPLE_RATE_HZ))
    _steps(benchmark, streams.feed, noise(STREAMS, STEP))


def _steps(
    benchmark: BenchmarkFixture, feed: Callable[[np.ndarray], list], chunk: np.ndarray
) -> None:
    assert len(benchmark(feed, chunk)) == 1
