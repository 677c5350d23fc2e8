from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from tests_support.exported import make_exported

from serbench.api import ModelError, PluginError
from serbench.checks.regress.reference import (
    ReferenceBackend,
    ReferenceParams,
    graph_digest,
    open_reference,
    reference_graph,
)
from serbench.studies.deploy.opened import class_path, find_class

SHA256 = "4a9cb3a97abd6a6a5466c4279ef303eb15a796f36a77ae49f6b687a17f504c0a"
"""What golden files of this version hold: another graph makes all of them out of date."""


def test_the_built_in_graph_is_the_same_everywhere(tmp_path: Path) -> None:
    made = open_reference(None, tmp_path)
    assert (made.kind, made.sha256) == ("built-in", SHA256)
    onnx.checker.check_model(onnx.load(made.model), full_check=True)
    assert graph_digest(onnx.load(made.model)) == SHA256


def test_another_weight_or_another_stride_is_another_graph() -> None:
    graph = reference_graph()
    kernel = graph.graph.initializer[1]
    values = onnx.numpy_helper.to_array(kernel).copy()
    values.flat[0] += 1e-3
    kernel.CopyFrom(onnx.numpy_helper.from_array(values, kernel.name))
    assert graph_digest(graph) != SHA256
    graph = reference_graph()
    conv = next(node for node in graph.graph.node if node.op_type == "Conv")
    next(each for each in conv.attribute if each.name == "strides").ints[0] = 80
    assert graph_digest(graph) != SHA256


@pytest.mark.parametrize("samples", [1_600, 16_000, 48_123])
def test_it_gives_posteriors_for_any_length_and_batch(tmp_path: Path, samples: int) -> None:
    made = open_reference(None, tmp_path)
    backend = ReferenceBackend(ReferenceParams(model=made.model))
    predict = backend.open(None, tmp_path, 1)  # pyright: ignore[reportArgumentType] - not read
    waveforms = np.random.default_rng(0).normal(0, 0.1, (2, samples)).astype(np.float32)
    posteriors = predict(waveforms)
    assert posteriors.shape == (2, 4)
    np.testing.assert_allclose(posteriors.sum(axis=1), 1.0, rtol=1e-5)
    assert not np.allclose(posteriors[0], posteriors[1], atol=1e-6)


def test_an_exported_model_can_be_the_reference(tmp_path: Path) -> None:
    path = make_exported(tmp_path / "old.onnx")
    made = open_reference(path, tmp_path)
    assert made.kind == "file"
    assert made.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_no_exported_model_cannot(tmp_path: Path) -> None:
    path = make_exported(tmp_path / "old.onnx", facts=None)
    with pytest.raises(ModelError, match=r"old\.onnx"):
        open_reference(path, tmp_path)


def test_a_damaged_reference_is_told(tmp_path: Path) -> None:
    path = tmp_path / "damaged.onnx"
    path.write_bytes(b"nothing")
    backend = ReferenceBackend(ReferenceParams(model=path))
    with pytest.raises(PluginError, match=r"damaged\.onnx cannot be run"):
        backend.open(None, tmp_path, 1)  # pyright: ignore[reportArgumentType]


def test_a_worker_that_times_it_imports_nothing_heavy() -> None:
    assert find_class(class_path(ReferenceBackend)) is ReferenceBackend
    heavy = "{'torch', 'onnx', 'pandas'} & {*sys.modules}"
    code = f"import sys, serbench.checks.regress.reference; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
