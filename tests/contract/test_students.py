from __future__ import annotations

import pytest

from serbench.running.plugins import Provided, load_plugins
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry
from serbench.testing import check_student

PLUGINS = load_plugins()


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(PLUGINS)


@pytest.mark.parametrize("student", PLUGINS.items("students"), ids=lambda item: item.name)
def test_every_student_keeps_its_contract(student: Provided) -> None:
    check_student(student.cls)


@pytest.mark.parametrize("name", ["hybrid-tiny", "mha", "transformer"])
def test_small_students_of_the_registry_keep_it_too(registry: Registry, name: str) -> None:
    spec = registry.student(name)
    check_student(PLUGINS.get("students", spec.plugin), spec.params)
