from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests_support.hybrid_model import hybrid_model

from serbench.api import PluginError
from serbench.device.export.deployed import Deployed
from serbench_backends import packages, tensorrt_engine
from serbench_backends.tensorrt_engine import FILE, MODULES, TensorRTBackend, TensorRTParams

FP32, FP16 = TensorRTBackend(TensorRTParams()), TensorRTBackend(TensorRTParams(precision="fp16"))


@pytest.fixture(scope="module")
def model() -> Deployed:
    """An engine can be built without a GPU where tensorrt_rtx is installed."""
    if reason := packages.unusable("tensorrt_rtx", "tensorrt-rtx"):
        pytest.skip(reason)
    return hybrid_model()


@pytest.mark.parametrize("backend", [FP32, FP16], ids=["fp32", "fp16"])
def test_an_engine_is_built(backend: TensorRTBackend, model: Deployed, tmp_path: Path) -> None:
    backend.convert(model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert (tmp_path / FILE).stat().st_size > 100_000


def test_a_graph_that_it_cannot_parse_is_told(
    model: Deployed, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"bad")
    runtime = tensorrt_engine.find_runtime()
    with pytest.raises(PluginError, match="TensorRT cannot express this model: "):
        tensorrt_engine.build_engine(runtime, tmp_path / "bad.onnx")
    assert capfd.readouterr().err == ""


def test_a_damaged_engine_is_told(model: Deployed, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"bad" * 100)
    with pytest.raises(PluginError, match="TensorRT cannot load this "):
        FP32.open(model, tmp_path, 1)


def stand_in(monkeypatch: pytest.MonkeyPatch, *there: str) -> None:
    for name in MODULES:
        if name in there:
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        else:
            monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)


def test_reasons_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)
    assert FP32.unavailable() == (
        "tensorrt is not installed: pip install 'serbench[tensorrt]', or tensorrt-rtx"
    )
    stand_in(monkeypatch, "tensorrt_rtx")
    monkeypatch.setattr(tensorrt_engine, "nvidia_gpus", lambda: 0)
    assert FP32.unavailable() == "no NVIDIA GPU"
    monkeypatch.setattr(tensorrt_engine, "nvidia_gpus", lambda: 1)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert FP32.unavailable() == "this build of PyTorch has no CUDA"
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert FP32.unavailable() is None


def test_converting_without_it_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(monkeypatch)
    with pytest.raises(PluginError, match="tensorrt is not installed"):
        FP32.convert(None, tmp_path)  # pyright: ignore[reportArgumentType]


def test_names_of_precision_and_device() -> None:
    assert (FP32.precision, FP16.precision, FP32.device) == ("fp32", "fp16", "cuda")
