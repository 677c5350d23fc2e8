from __future__ import annotations

from pathlib import Path

import pytest
from serbench.testing import Check, backend_checks, probe_model

from serbench_placeholder.backend import FILE, Placeholder


@pytest.mark.parametrize("check", [*backend_checks(Placeholder)], ids=str)
def test_it_keeps_the_contract(check: Check) -> None:
    check()


def test_the_model_is_one_file(tmp_path: Path) -> None:
    Placeholder(Placeholder.Params()).convert(probe_model(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
