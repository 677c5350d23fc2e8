from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper
from pydantic import ValidationError
from tests_support.hybrid_model import hybrid_model
from tests_support.tiny_model import farthest, opened

from serbench.api import PluginError
from serbench.device.export.deployed import Deployed
from serbench_backends.onnx_runtime import OnnxRuntimeBackend, OnnxRuntimeParams, sessions
from serbench_backends.onnx_runtime.quantize import quantize_by_ranges

FARTHEST = {"fp32": 1e-4, "fp16": 0.01, "int8": 0.06, "int8-static": 0.06}


@pytest.fixture(scope="module")
def model() -> Deployed:
    return hybrid_model()


def backend(precision: str = "fp32", provider: str = "cpu") -> OnnxRuntimeBackend:
    return OnnxRuntimeBackend(
        OnnxRuntimeParams.model_validate({"precision": precision, "provider": provider})
    )


def converted(precision: str, model: Deployed, folder: Path) -> onnx.GraphProto:
    backend(precision).convert(model, folder)
    (path,) = folder.iterdir()
    return onnx.load(path).graph


@pytest.mark.parametrize("precision", FARTHEST)
def test_posteriors_are_those_of_pytorch(precision: str, model: Deployed, tmp_path: Path) -> None:
    worst = farthest(opened(backend(precision), model, tmp_path), model)
    assert worst <= FARTHEST[precision]
    assert precision == "fp32" or worst > 1e-5  # it does compute otherwise


@pytest.mark.parametrize("precision", ["fp16", "int8", "int8-static"])
def test_files_get_smaller(precision: str, model: Deployed, tmp_path: Path) -> None:
    converted(precision, model, tmp_path)
    assert (tmp_path / "model.onnx").stat().st_size < 0.8 * model.onnx.stat().st_size


@pytest.mark.parametrize("precision", ["fp16", "int8", "int8-static"])
def test_the_front_end_stays_in_fp32(precision: str, model: Deployed, tmp_path: Path) -> None:
    before = onnx.load(model.onnx).graph
    after = converted(precision, model, tmp_path)
    kept = Counter(n.op_type for n in before.node if n.name.startswith("frontend/"))
    left = Counter(n.op_type for n in after.node if n.name.startswith("frontend/"))
    reduced = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger"}
    assert kept["MatMul"] == left["MatMul"] >= 6
    assert not reduced & set(left)
    tables = [each for each in after.initializer if each.name.startswith("frontend/")]
    kinds = {each.data_type for each in tables if each.dims and max(each.dims) > 40}
    assert kinds == {onnx.TensorProto.FLOAT}


def test_int8_static_has_convolutions_in_eight_bits_and_attention_in_full(
    model: Deployed, tmp_path: Path
) -> None:
    graph = converted("int8-static", model, tmp_path)
    made = {output: node for node in graph.node for output in node.output}

    def quantized(node: onnx.NodeProto) -> list[bool]:
        return [x in made and made[x].op_type == "DequantizeLinear" for x in node.input[:2]]

    convolutions = [quantized(node) for node in graph.node if node.op_type == "Conv"]
    assert not any(convolutions[0])  # it has three channels
    assert len(convolutions) == 4
    assert all(map(all, convolutions[1:]))
    weights = {each.name for each in graph.initializer}
    products = [n for n in graph.node if n.op_type == "MatMul" and n.name.startswith("student/")]
    attention = [n for n in products if not weights & set(n.input) and not any(quantized(n))]
    assert len(attention) >= 4  # scores and sums, over frequency and over time


@pytest.mark.parametrize("precision", ["int8", "int8-static"])
def test_no_sum_of_two_products_overflows_16_bits(
    precision: str, model: Deployed, tmp_path: Path
) -> None:
    graph = converted(precision, model, tmp_path)
    weights = [
        numpy_helper.to_array(each).astype(int)
        for each in graph.initializer
        if each.data_type == onnx.TensorProto.INT8 and len(each.dims) > 1
    ]
    greatest = max(np.abs(each).max() for each in weights)
    assert 32 < greatest <= 2**15 // (2 * 255)


def test_int8_static_needs_audio(model: Deployed, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="but the model has none"):
        quantize_by_ranges(model.onnx, tmp_path / "model.onnx", [])


def test_ranges_are_those_of_the_audio(model: Deployed, tmp_path: Path) -> None:
    audio = model.calibration()
    for name, scale in (("quiet", 1.0), ("loud", 3.0)):
        quantize_by_ranges(model.onnx, tmp_path / name, [scale * x for x in audio])
    assert (tmp_path / "quiet").read_bytes() != (tmp_path / "loud").read_bytes()


@pytest.mark.parametrize("precision", ["int8", "int8-static"])
def test_a_student_without_weights_is_refused(precision: str, tmp_path: Path) -> None:
    graph = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 20]>'
        "m (float[batch, samples] waveform) => (float[batch, samples] posteriors)"
        "{ posteriors = Softmax (waveform) }"
    )
    onnx.save(graph, tmp_path / "empty.onnx")
    bare = SimpleNamespace(
        onnx=tmp_path / "empty.onnx", calibration=lambda: [np.zeros(1600, np.float32)]
    )
    with pytest.raises(PluginError, match="no weights that can be quantized"):
        backend(precision).convert(bare, tmp_path)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("precision", ["fp16", "int8", "int8-static"])
def test_converting_is_quiet_and_leaves_the_log_as_it_was(
    precision: str, model: Deployed, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    before = logging.root.manager.disable
    backend(precision).convert(model, tmp_path)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert logging.root.manager.disable == before


def test_names_of_precision_and_device() -> None:
    assert [backend(each).precision for each in FARTHEST] == [
        "fp32", "fp16", "int8 dynamic", "int8 static",
    ]  # fmt: skip
    assert [backend(provider=p).device for p in ("cpu", "cuda", "tensorrt")] == [
        "cpu", "cuda", "cuda",
    ]  # fmt: skip


def test_eight_bits_are_for_the_cpu() -> None:
    with pytest.raises(ValidationError, match="'int8' needs the provider cpu, not cuda"):
        backend("int8", "cuda")


class FakeSession:
    def __init__(self, path: str, options: onnxruntime.SessionOptions, providers: list[str]):
        self.options, self.asked = options, providers
        self.given = ["CPUExecutionProvider"]

    def disable_fallback(self) -> None:
        pass

    def get_providers(self) -> list[str]:
        return self.given


def test_a_session_that_fell_back_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(onnxruntime, "InferenceSession", FakeSession)
    with pytest.raises(
        PluginError, match="fell back from CUDAExecutionProvider to CPUExecutionProvider"
    ):
        sessions.open_session(tmp_path / "m.onnx", "cuda", 1)


@pytest.mark.parametrize("half", [True, False])
def test_threads_and_level_are_passed_on(
    half: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(onnxruntime, "InferenceSession", FakeSession)
    session = sessions.open_session(tmp_path / "m.onnx", "cpu", 3, half=half)
    assert isinstance(session, FakeSession)
    assert session.asked == ["CPUExecutionProvider"]
    assert session.options.intra_op_num_threads == 3
    assert session.options.inter_op_num_threads == 1
    last = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    assert (session.options.graph_optimization_level == last) is not half


def test_a_damaged_file_is_told(model: Deployed, tmp_path: Path) -> None:
    backend().convert(model, tmp_path)
    path = tmp_path / "model.onnx"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(PluginError, match="ONNX Runtime cannot load this model"):
        backend().open(model, tmp_path, 1)


def test_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    assert backend().unavailable() is None
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    reason = backend(provider="tensorrt").unavailable()
    assert str(reason).startswith("this onnxruntime has no TensorrtExecutionProvider")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(sessions, "nvidia_gpus", lambda: 0)
    assert backend(provider="cuda").unavailable() == "no NVIDIA GPU for CUDAExecutionProvider"
    monkeypatch.setattr(sessions, "nvidia_gpus", lambda: 1)
    assert backend(provider="cuda").unavailable() is None
