from __future__ import annotations

import pytest
from tests_support.contracts import each_check

from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.testing import Check, front_end_checks

PLUGINS = load_plugins()
# What runs a pretrained model is checked where its tests make a small one.
NEEDS_A_MODEL = {"encoder-frames"}
FRONT_ENDS = [each for each in PLUGINS.items("front_ends") if each.name not in NEEDS_A_MODEL]
REGISTRY = load_registry(PLUGINS)
ENTRIES = {
    name: spec
    for name, spec in REGISTRY.front_ends.items()
    if spec.params and spec.plugin not in NEEDS_A_MODEL
}


@pytest.mark.parametrize("check", each_check((f.name, front_end_checks(f.cls)) for f in FRONT_ENDS))
def test_every_front_end_keeps_its_contract(check: Check) -> None:
    check()


@pytest.mark.parametrize(
    "check",
    each_check(
        (name, front_end_checks(PLUGINS.get("front_ends", spec.plugin), spec.params))
        for name, spec in ENTRIES.items()
    ),
)
def test_those_of_the_registry_keep_it_with_their_parameters(check: Check) -> None:
    check()
