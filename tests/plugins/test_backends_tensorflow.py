from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests_support.tiny_model import farthest, opened, tiny_model

from serbench.api import PluginError
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench_backends import tensorflow_runtime
from serbench_backends.tensorflow_saved import TensorFlowBackend, TensorFlowParams

BACKEND = TensorFlowBackend(TensorFlowParams())


def test_the_registry_has_it() -> None:
    made = load_registry(load_plugins()).make("backends", "tensorflow")
    assert isinstance(made, TensorFlowBackend)


@pytest.mark.parametrize(
    ("module", "what"), [("tensorflow", "the runtime"), ("keras", "the converter")]
)
def test_it_says_what_is_missing(module: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else name)
    assert BACKEND.unavailable() == (
        f"{what} of TensorFlow is not installed (no module {module}): "
        "pip install 'serbench[tensorflow]'"
    )


class Config:
    """``tf.config`` before TensorFlow has started, or after."""

    def __init__(self, gpus: int = 0, started_with: int | None = None) -> None:
        self.gpus, self.started = gpus, started_with is not None
        self.counts = {"intra": started_with or 0, "inter": 1 if self.started else 0}
        self.visible: list[str] | None = None
        self.threading = SimpleNamespace(
            get_intra_op_parallelism_threads=lambda: self.counts["intra"],
            get_inter_op_parallelism_threads=lambda: self.counts["inter"],
            set_intra_op_parallelism_threads=lambda count: self.set("intra", count),
            set_inter_op_parallelism_threads=lambda count: self.set("inter", count),
        )

    def set(self, kind: str, count: int) -> None:
        if self.started:
            raise RuntimeError("cannot be modified after initialization")
        self.counts[kind] = count

    def list_physical_devices(self, kind: str) -> list[str]:
        return [kind] * self.gpus

    def set_visible_devices(self, devices: list[str], _: str) -> None:
        self.visible = devices


def started(config: Config, monkeypatch: pytest.MonkeyPatch) -> Any:
    module = SimpleNamespace(config=config)
    monkeypatch.setattr(tensorflow_runtime, "imported", lambda _: module)
    return module


def test_threads_are_set_and_gpus_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    module = started(config := Config(gpus=1), monkeypatch)
    assert tensorflow_runtime.tensorflow(threads=3) is module
    assert config.counts == {"intra": 3, "inter": 1}
    assert config.visible == []


def test_what_has_started_keeps_its_threads_or_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = started(Config(started_with=2), monkeypatch)
    assert tensorflow_runtime.tensorflow(threads=2) is module
    with pytest.raises(PluginError, match=r"can no longer be set to 1 thread\(s\) on the CPU"):
        tensorflow_runtime.tensorflow(threads=1)


def test_it_gives_what_pytorch_gives_and_tells_a_damaged_file(tmp_path: Path) -> None:
    if reason := BACKEND.unavailable():
        pytest.skip(reason)
    (folder := tmp_path / "converted").mkdir()
    model = tiny_model(tmp_path / "model")
    assert farthest(opened(BACKEND, model, folder), model) < 1e-5
    (folder / "saved_model.pb").write_bytes(b"not a model")
    with pytest.raises(PluginError, match="TensorFlow cannot load this model: "):
        BACKEND.open(model, folder, threads=1)
