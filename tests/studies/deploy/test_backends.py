from __future__ import annotations

from typing import Any

import pytest
from tests_support.deployments import FakeRegistry
from tests_support.fake_backend import FakeParams

from serbench.api import PluginError
from serbench.studies.deploy.backends import choose_backends, runnable


@pytest.fixture
def registry() -> Any:
    return FakeRegistry(
        one=FakeParams(), gone=FakeParams(mode="missing"), lost=FakeParams(mode="missing")
    )


def test_by_default_all_are_there_with_their_reasons(registry: Any) -> None:
    found = choose_backends(registry)
    assert [(each.name, each.unavailable) for each in found] == [
        ("torch", None), ("one", None), ("gone", "there is none here"),
        ("lost", "there is none here"),
    ]  # fmt: skip
    assert [each.name for each in runnable(found)] == ["torch", "one"]


@pytest.mark.parametrize("named", [["one"], ["one,torch"], [" one , "], ["one", "one"]])
def test_the_reference_is_always_measured_and_first(registry: Any, named: list[str]) -> None:
    assert [each.name for each in choose_backends(registry, named)] == ["torch", "one"]


def test_those_named_that_cannot_run_are_told_at_once(registry: Any) -> None:
    with pytest.raises(PluginError) as caught:
        choose_backends(registry, ["gone,one", "lost"])
    text = str(caught.value)
    assert "gone: there is none here; lost: there is none here" in text
    assert ": one: " not in text


def test_nothing_can_be_measured_without_the_reference(registry: Any) -> None:
    registry.backends["torch"] = FakeParams(mode="missing")
    with pytest.raises(PluginError, match="torch: there is none here"):
        choose_backends(registry)
