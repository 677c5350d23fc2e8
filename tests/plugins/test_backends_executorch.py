from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests_support.tiny_model import farthest, opened, tiny_model

from serbench.api import PluginError
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench_backends import executorch_pte
from serbench_backends.executorch_pte import FILE, ExecuTorchBackend, ExecuTorchParams

BACKEND = ExecuTorchBackend(ExecuTorchParams())


def test_the_registry_has_it() -> None:
    made = load_registry(load_plugins()).make("backends", "executorch")
    assert isinstance(made, ExecuTorchBackend)


def test_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert BACKEND.unavailable() == (
        "the runtime of ExecuTorch is not installed (no module executorch): "
        "pip install 'serbench[executorch]'"
    )


class Pool:
    """ExecuTorch's thread pool, of two threads at first; ``most`` is what it can be given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, most: int = 8) -> None:
        self.count, self.most, self.resets = 2, most, 0
        library = SimpleNamespace(
            _threadpool_get_thread_count=lambda: self.count, _unsafe_reset_threadpool=self.reset
        )
        monkeypatch.setattr(executorch_pte, "imported", lambda _: library)
        monkeypatch.setattr(executorch_pte, "opened", [])

    def reset(self, count: int) -> None:
        self.resets += 1
        self.count = min(count, self.most)


def test_the_pool_is_given_as_many_threads_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(monkeypatch)
    executorch_pte.use_threads(2)
    assert pool.resets == 0
    executorch_pte.use_threads(1)
    assert (pool.resets, pool.count) == (1, 1)


def test_another_number_of_threads_than_asked_for_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Pool(monkeypatch, most=2)
    with pytest.raises(PluginError, match="runs with 2 threads here, not with 3"):
        executorch_pte.use_threads(3)


def test_the_pool_of_a_loaded_program_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(monkeypatch)
    executorch_pte.opened.append(2)
    executorch_pte.use_threads(2)
    with pytest.raises(PluginError, match="open a model with 1 in another process"):
        executorch_pte.use_threads(1)
    assert pool.resets == 0


def test_a_version_without_such_a_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executorch_pte, "imported", lambda _: SimpleNamespace())
    with pytest.raises(PluginError, match="cannot set its number of threads"):
        executorch_pte.use_threads(1)


def test_it_gives_what_pytorch_gives_and_tells_a_damaged_file(tmp_path: Path) -> None:
    if reason := BACKEND.unavailable():
        pytest.skip(reason)
    (folder := tmp_path / "converted").mkdir()
    model = tiny_model(tmp_path / "model")
    assert farthest(opened(BACKEND, model, folder), model) < 1e-5
    with pytest.raises(PluginError, match="in a process of its own"):
        BACKEND.open(model, folder, threads=3)
    (folder / FILE).write_bytes(b"not a program" * 100)
    with pytest.raises(PluginError, match="ExecuTorch cannot load this model: "):
        BACKEND.open(model, folder, threads=1)
