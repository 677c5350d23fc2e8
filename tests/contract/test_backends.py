from __future__ import annotations

import pytest

from serbench.api import Backend
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.testing import check_backend

TOLERANCES = {"fp32": 1e-4, "fp16": 0.005, "bf16": 0.02, "int8 dynamic": 0.05, "int8 static": 0.05}
REGISTRY = load_registry(load_plugins())


@pytest.mark.parametrize("name", REGISTRY.backends)
def test_every_backend_keeps_its_contract(name: str) -> None:
    backend: Backend = REGISTRY.make("backends", name)  # pyright: ignore[reportAssignmentType]
    params = backend.params.model_dump()
    reason = check_backend(type(backend), params, TOLERANCES[backend.precision])
    if reason is not None:
        pytest.skip(reason)


def test_every_backend_plugin_has_an_entry() -> None:
    entries = {spec.plugin for spec in REGISTRY.backends.values()}
    assert {item.name for item in load_plugins().items("backends")} <= entries
