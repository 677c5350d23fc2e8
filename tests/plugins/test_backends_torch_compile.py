from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from serbench.api import Params, PluginError
from serbench_backends import torch_compile
from serbench_backends.torch_compile import FILE, TorchCompile

BACKEND = TorchCompile(Params())


def compilers(monkeypatch: pytest.MonkeyPatch, *there: str) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name in there else None)


def test_the_compiler_that_is_named_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "icpx")
    compilers(monkeypatch, "g++", "icpx")
    assert torch_compile.compiler() == "/bin/icpx"
    compilers(monkeypatch, "g++")
    assert BACKEND.unavailable() == "no C++ compiler: CXX names icpx, which does not exist"


def test_without_a_name_the_usual_ones_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    compilers(monkeypatch, "clang++", "g++")
    assert torch_compile.compiler() == "/bin/g++"
    compilers(monkeypatch, "clang++")
    assert torch_compile.compiler() == "/bin/clang++"
    assert BACKEND.unavailable() is None
    compilers(monkeypatch)
    assert BACKEND.unavailable() == "no C++ compiler: neither g++ nor clang++ found"


def test_what_cannot_be_compiled_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Dynamic(torch.nn.Module):
        def forward(self, windows: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
            return windows[:, : int(windows.sum())]

    model = SimpleNamespace(window_module=Dynamic, window_samples=400)
    with pytest.raises(PluginError, match=r"torch\.compile cannot express this model: "):
        BACKEND.convert(model, tmp_path)  # pyright: ignore[reportArgumentType]


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"bad")
    with pytest.raises(PluginError, match=r"torch\.compile cannot load this model: "):
        BACKEND.open(None, tmp_path, 1)  # pyright: ignore[reportArgumentType]


def test_threads_are_set_when_it_is_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", seen.append)
    monkeypatch.setattr("torch._inductor.aoti_load_package", lambda _: None)
    BACKEND.open(None, tmp_path, 3)  # pyright: ignore[reportArgumentType]
    assert seen == [3]
