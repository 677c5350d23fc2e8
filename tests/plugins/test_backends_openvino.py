from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from tests_support.hybrid_model import hybrid_model
from tests_support.tiny_model import farthest, opened

from serbench.api import PluginError
from serbench.device.export.deployed import Deployed
from serbench_backends import openvino_ir
from serbench_backends.openvino_ir import FILE, OpenVINOBackend, OpenVINOParams

FP32, INT8 = OpenVINOBackend(OpenVINOParams()), OpenVINOBackend(OpenVINOParams(precision="int8"))


class Silent(Deployed):
    def calibration(self) -> list[np.ndarray]:
        return []


@pytest.fixture(scope="module")
def model() -> Deployed:
    if reason := INT8.unavailable():
        pytest.skip(reason)
    return hybrid_model()


@pytest.fixture(scope="module")
def eight_bits(model: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("int8")
    INT8.convert(model, folder)
    return folder


def test_fp32_is_exact(model: Deployed, tmp_path: Path) -> None:
    assert farthest(opened(FP32, model, tmp_path), model) <= 1e-5


def test_int8_is_close_and_smaller(model: Deployed, eight_bits: Path, tmp_path: Path) -> None:
    assert 1e-5 < farthest(INT8.open(model, eight_bits, 1), model) <= 0.06
    FP32.convert(model, tmp_path)
    weights = FILE.replace(".xml", ".bin")
    assert (eight_bits / weights).stat().st_size < 0.8 * (tmp_path / weights).stat().st_size


def test_int8_leaves_front_end_attention_and_classifier_in_fp32(
    model: Deployed, eight_bits: Path
) -> None:
    import openvino

    operations = openvino.Core().read_model(eight_bits / FILE).get_ordered_ops()
    names = set(openvino_ir.front_end(model.window_onnx))
    front_end = [each for each in operations if each.get_friendly_name() in names]
    products = [each for each in operations if each.get_type_name() == "MatMul"]

    def quantized(operation: Any) -> bool:
        source = operation.input(0).get_source_output().get_node()
        return source.get_type_name() == "FakeQuantize"

    assert len(front_end) == 6
    assert not any(map(quantized, front_end))
    assert not quantized(products[-1])
    assert sum(map(quantized, products)) >= 8
    assert all(quantized(each) for each in operations if each.get_type_name() == "Convolution")


def test_what_it_is_compiled_with(
    model: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import openvino

    seen: list[tuple[str, dict[str, object]]] = []

    class Core:
        def compile_model(self, _: Path, device: str, settings: dict[str, object]) -> Any:
            seen.append((device, settings))
            return SimpleNamespace(create_infer_request=lambda: None)

    monkeypatch.setattr(openvino, "Core", Core)
    FP32.open(model, tmp_path, 3)
    ((device, settings),) = seen
    assert device == "CPU"
    assert settings["INFERENCE_PRECISION_HINT"] == "f32"
    assert settings["INFERENCE_NUM_THREADS"] == 3
    assert settings["NUM_STREAMS"] == 1


def test_a_damaged_file_is_told(model: Deployed, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("<net")
    with pytest.raises(PluginError, match="OpenVINO cannot load this model"):
        FP32.open(model, tmp_path, 1)


def test_int8_needs_audio(model: Deployed, tmp_path: Path) -> None:
    bare = Silent(model.folder, model.student, model.card)
    with pytest.raises(PluginError, match="but the model has none"):
        INT8.convert(bare, tmp_path)


def test_a_front_end_that_cannot_be_told_is_an_error(model: Deployed, tmp_path: Path) -> None:
    graph = onnx.load(model.window_onnx)
    for node in graph.graph.node:
        for n, name in enumerate(node.input):
            node.input[n] = name.replace("frontend.", "other.")
    onnx.save(graph, tmp_path / "window.onnx")
    with pytest.raises(PluginError, match="nodes cannot be found in the graph"):
        openvino_ir.front_end(tmp_path / "window.onnx")


def test_converting_is_quiet_and_sends_nothing(model: Deployed, tmp_path: Path) -> None:
    """In a process of its own: what is imported before decides what is sent."""
    code = (
        "import sys\n"
        "from serbench_backends.openvino_ir import imported_silently\n"
        "imported_silently('openvino'), imported_silently('nncf')\n"
        "print('openvino_telemetry' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_converting_prints_nothing(
    model: Deployed, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    INT8.convert(model, tmp_path)
    assert capfd.readouterr() == ("", "")


def test_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("openvino", "nncf"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "nncf" else object()
    )
    monkeypatch.setattr(importlib, "import_module", lambda _: None)
    assert FP32.unavailable() is None
    assert INT8.unavailable() == "nncf is not installed: pip install 'serbench[openvino]'"
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert FP32.unavailable() == "openvino is not installed: pip install 'serbench[openvino]'"


def test_names_of_precision() -> None:
    assert (FP32.precision, INT8.precision, INT8.device) == ("fp32", "int8 static", "cpu")
