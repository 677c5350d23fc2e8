"""Contract checks of several plugins as one test each."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from serbench.testing import Check


def each_check(contracts: Iterable[tuple[str, Iterable[Check]]]) -> list[pytest.ParameterSet]:
    """Parameters of a test that takes one check, by the name of the plugin and of the check."""
    return [
        pytest.param(check, id=f"{plugin}-{check}")
        for plugin, checks in contracts
        for check in checks
    ]
