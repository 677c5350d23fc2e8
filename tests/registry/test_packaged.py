from __future__ import annotations

from pathlib import Path

import pytest

from serbench.plugins import load_plugins
from serbench.registry import load_registry
from serbench.registry.load import PACKAGED


def test_the_packaged_registry_fits_the_plugins_that_come_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # no serbench.toml here
    plugins = load_plugins()
    registry = load_registry(plugins)
    for name, spec in registry.methods.items():
        assert registry.make("students", spec.student, spec.student_params), name
        assert registry.make("losses", spec.loss, spec.loss_params), name
    assert {"quick", "standard", "paper"} <= set(registry.profiles)
    assert {"akd", "vanilla-kd", "transformer"} <= set(registry.methods)


def test_the_packaged_registry_is_the_one_at_the_top() -> None:
    assert PACKAGED.resolve() == Path(__file__).parents[2] / "registry.toml"
