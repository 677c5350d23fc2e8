"""A trained student made into the graph that is shipped."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from tests_support.trained import trained  # pyright: ignore[reportMissingImports]

from serbench.device.export.deployed import Trained
from serbench.running.registry.lookup import Registry
from serbench.settings import SegmentSettings


@pytest.fixture(scope="module", params=["hybrid-small", "transformer"])
def model(registry: Registry, request: pytest.FixtureRequest) -> Trained:
    """A student of the registry with random weights, which take as long as trained ones."""
    return trained(registry.make("students", request.param), segments=SegmentSettings())


def test_graph(benchmark: BenchmarkFixture, model: Trained) -> None:
    """Waveform in, posteriors out, as one ONNX graph."""
    trained().graph()  # loads the exporter
    graph = benchmark.pedantic(model.graph, rounds=1)
    assert len(graph.SerializeToString()) > 1_000_000
