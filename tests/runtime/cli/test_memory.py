from __future__ import annotations

import errno

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from serbench.cli import app
from serbench_runtime.cli.memory import memory_message

TORCH = "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: not enough memory: you tried"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(f"{TORCH} to allocate 1 bytes.\nframe #0"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_memory_that_ran_out_is_one_message(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("serbench.running.registry.load.load_registry", fail)
    told = CliRunner().invoke(app, ["list", "datasets"])
    assert told.exit_code == 2
    assert told.output.startswith("serbench: memory ran out")
    assert "fewer --jobs" in told.output
    assert "frame #0" not in told.output


def test_what_numpy_and_torch_raise_is_known() -> None:
    for allocate in (lambda: np.empty(2**50), lambda: torch.empty(2**58)):
        with pytest.raises((MemoryError, RuntimeError)) as told:
            allocate()
        assert memory_message(told.value, "")


def test_other_errors_stay() -> None:
    assert not memory_message(RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "")
    assert not memory_message(OSError(errno.ENOENT, "No such file"), "")
