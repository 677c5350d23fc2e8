from __future__ import annotations

import math

import pytest
import torch
from serbench.api import Batch, LossShape, StudentOutput
from serbench.testing import Check, loss_checks

from serbench_placeholder.loss import Placeholder


@pytest.mark.parametrize("check", [*loss_checks(Placeholder)], ids=str)
def test_it_keeps_the_contract(check: Check) -> None:
    check()


def test_a_student_that_knows_nothing_gives_what_the_formula_says() -> None:
    batch = Batch(
        features=torch.zeros(2, 3, 40, 50),
        lengths=torch.tensor([50, 30]),
        labels=torch.tensor([0, 3]),
        teacher_logits=torch.zeros(0, 2, 4),
    )
    output = StudentOutput(logits=torch.zeros(2, 4), embedding=torch.zeros(2, 8))
    loss = Placeholder(Placeholder.Params(weight=0.25))
    module = loss.build(LossShape(num_classes=4, embedding_dim=8, map_dims=(), last_map_dim=0))
    assert module(batch, output)["total"].item() == pytest.approx(0.75 * math.log(4))
