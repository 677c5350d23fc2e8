from __future__ import annotations

import pytest
import torch
from serbench.api import TeacherError
from serbench.testing import Check, teacher_checks

from serbench_placeholder.teacher import Placeholder


@pytest.mark.parametrize("check", [*teacher_checks(Placeholder)], ids=str)
def test_it_keeps_the_contract(check: Check) -> None:
    check()


def test_before_it_is_loaded_it_says_so() -> None:
    with pytest.raises(TeacherError, match="call load first"):
        Placeholder(Placeholder.Params()).embed([torch.zeros(16000)])


def test_a_louder_voice_gives_another_embedding() -> None:
    teacher = Placeholder(Placeholder.Params())
    teacher.load(torch.device("cpu"))
    noise = 0.01 * torch.randn(16000, generator=torch.Generator().manual_seed(0))
    soft, loud = teacher.embed([noise, 10 * noise])
    assert (loud.pooled - soft.pooled).abs().max() > 1
