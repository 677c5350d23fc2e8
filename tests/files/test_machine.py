from __future__ import annotations

import os
from pathlib import Path

import pytest

from serbench.files import machine


def test_the_machine_is_told() -> None:
    assert machine.cpu_name()
    assert 1 <= machine.usable_cpus() <= (os.cpu_count() or 1)


def test_a_containers_limit_of_memory_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "CGROUP_MEMORY", limit)
    monkeypatch.setattr(os, "sysconf", lambda name: 4096 if name == "SC_PAGE_SIZE" else 1000)
    assert machine.memory_bytes() == 4_096_000
    limit.write_text("max\n")
    assert machine.memory_bytes() == 4_096_000
    limit.write_text("1000000\n")
    assert machine.memory_bytes() == 1_000_000
