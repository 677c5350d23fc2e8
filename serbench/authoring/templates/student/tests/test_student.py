from __future__ import annotations

import pytest
from serbench.api import StudentShape
from serbench.testing import Check, student_checks

from serbench_placeholder.student import Placeholder


@pytest.mark.parametrize("check", [*student_checks(Placeholder)], ids=str)
def test_it_keeps_the_contract(check: Check) -> None:
    check()


def test_it_is_small() -> None:
    student = Placeholder(Placeholder.Params())
    network = student.build(StudentShape(num_classes=4))
    assert sum(parameter.numel() for parameter in network.parameters()) < 30_000
