from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from tests_support.tiny_model import farthest, opened, tiny_model

from serbench.api import PluginError
from serbench.device.export.deployed import Deployed
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench_backends import litert_tflite
from serbench_backends.litert_tflite import FILE, RUNTIME, LiteRTBackend, LiteRTParams

FP32, INT8 = LiteRTBackend(LiteRTParams()), LiteRTBackend(LiteRTParams(precision="int8"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    if reason := INT8.unavailable():
        pytest.skip(reason)
    return tiny_model(tmp_path_factory.mktemp("model"))


def test_the_registry_has_both_precisions() -> None:
    registry = load_registry(load_plugins())
    made = [registry.make("backends", name) for name in ("litert", "litert-int8")]
    assert [(type(each), each.precision) for each in made] == [  # pyright: ignore[reportAttributeAccessIssue]
        (LiteRTBackend, "fp32"),
        (LiteRTBackend, "int8 dynamic"),
    ]


@pytest.mark.parametrize(
    ("backend", "module", "what"),
    [
        (FP32, "ai_edge_litert", "the runtime"),
        (FP32, "litert_torch", "the converter"),
        (INT8, "ai_edge_quantizer", "the quantizer"),
    ],
)
def test_it_says_what_is_missing(
    backend: LiteRTBackend, module: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else name)
    assert backend.unavailable() == (
        f"{what} of LiteRT is not installed (no module {module}): pip install 'serbench[litert]'"
    )


def test_fp32_needs_no_quantizer(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"ai_edge_litert", "litert_torch"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in found else None)
    monkeypatch.setattr(litert_tflite, "unusable", lambda module, install: None)
    assert FP32.unavailable() is None
    assert INT8.unavailable() is not None


def test_a_runtime_that_is_broken_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise ImportError(f"{name}: GLIBC_2.99 not found")

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(importlib, "import_module", broken)
    monkeypatch.delitem(sys.modules, RUNTIME, raising=False)
    assert FP32.unavailable() == (
        f"{RUNTIME} cannot be imported: ImportError: {RUNTIME}: GLIBC_2.99 not found"
    )


def test_fp32_is_as_pytorch_and_int8_is_near_with_its_front_end_in_fp32(
    model: Deployed, tmp_path: Path
) -> None:
    (exact := tmp_path / "fp32").mkdir()
    (small := tmp_path / "int8").mkdir()
    assert farthest(opened(FP32, model, exact), model) < 1e-5
    assert 1e-5 < farthest(opened(INT8, model, small), model) < 0.1
    assert (small / FILE).stat().st_size < (exact / FILE).stat().st_size

    from ai_edge_litert.interpreter import Interpreter  # pyright: ignore[reportMissingImports]

    details = Interpreter(str(small / FILE)).get_tensor_details()
    sizes = {
        dtype: {int(np.prod(each["shape"])) for each in details if each["dtype"] is dtype}
        for dtype in (np.float32, np.int8)
    }
    frontend = model.window_module().frontend
    cosines = frontend.even_cosines.numel()  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
    assert cosines in sizes[np.float32]
    assert cosines not in sizes[np.int8]
    assert sizes[np.int8]


def test_a_damaged_file_is_told(model: Deployed, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a model" * 100)
    with pytest.raises(PluginError, match="LiteRT cannot load this model: "):
        FP32.open(model, tmp_path, threads=1)
