from __future__ import annotations

from pathlib import Path

import pytest

from serbench.running.plugins import load_plugins
from serbench.running.registry.load import PACKAGED, load_registry


def test_the_packaged_registry_fits_the_plugins_that_come_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # no serbench.toml here
    plugins = load_plugins()
    registry = load_registry(plugins)
    for name, spec in registry.methods.items():
        assert registry.make("students", spec.student, spec.student_params), name
        assert spec.loss is None or registry.make("losses", spec.loss, spec.loss_params), name
    assert {"quick", "standard", "paper"} <= set(registry.profiles)
    assert {"akd", "vanilla-kd", "transformer"} <= set(registry.methods)


def test_the_packaged_registry_is_the_one_at_the_top() -> None:
    assert PACKAGED.resolve() == Path(__file__).parents[3] / "registry.toml"


def test_quick_searches_for_the_weight_of_soft_targets_and_what_follows_a_probe() -> None:
    registry = load_registry(load_plugins())
    assert registry.profile("quick").protocol["search"] == "quick"
    for name, spec in registry.methods.items():
        loss = registry.plugin_spec("losses", spec.loss).plugin if spec.loss else ""
        student = registry.plugin_spec("students", spec.student).plugin
        of_student = {
            "inherited": ["training.epochs"],
            "classical": ["student.C"],
            "res-lstm-sa": ["training.learning_rate"],
        }
        of_loss = {"akd": ["loss.k"], "kd": ["loss.alpha"]}
        searched = of_student.get(student, []) + of_loss.get(loss, [])
        assert list(spec.grids.get("quick", {})) == searched, name
