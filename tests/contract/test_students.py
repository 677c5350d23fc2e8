from __future__ import annotations

import pytest
from tests_support.contracts import each_check

from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.testing import Check, student_checks

PLUGINS = load_plugins()
# These need an encoder's config: tests/plugins makes one.
ON_ENCODERS = {
    *("inherited", "encoder-finetune"),
    *("frozen-linear", "frozen-mean", "frozen-attentive", "ssl-att"),
}
STUDENTS = [each for each in PLUGINS.items("students") if each.name not in ON_ENCODERS]
REGISTRY = load_registry(PLUGINS)
SMALL = {
    name: REGISTRY.plugin_spec("students", name) for name in ("hybrid-tiny", "mha", "transformer")
}


@pytest.mark.parametrize("check", each_check((s.name, student_checks(s.cls)) for s in STUDENTS))
def test_every_student_keeps_its_contract(check: Check) -> None:
    check()


@pytest.mark.parametrize(
    "check",
    each_check(
        (name, student_checks(PLUGINS.get("students", spec.plugin), spec.params))
        for name, spec in SMALL.items()
    ),
)
def test_small_students_of_the_registry_keep_it_too(check: Check) -> None:
    check()
