from __future__ import annotations

import pytest
import torch
from torch import nn

from serbench.learning.fit.task import InitialState


def state(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def student(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))


def test_a_student_takes_every_weight_and_a_loss_those_that_fit() -> None:
    torch.manual_seed(0)
    kept = nn.ModuleDict(
        {"same": nn.Linear(3, 5), "wide": nn.Linear(3, 5), "gone": nn.Linear(2, 2)}
    )
    initial = InitialState(state(student(1)), state(kept))
    mine = student(2)
    loss = nn.ModuleDict({"same": nn.Linear(3, 5), "wide": nn.Linear(3, 6), "own": nn.Linear(2, 2)})
    before = state(loss)
    initial.load_into(mine, loss)
    for name, value in mine.state_dict().items():
        assert torch.equal(value, initial.student[name])
    for name, value in loss.state_dict().items():
        taken = name.startswith("same.")
        # The bias of a wider projection would be of another shape, too.
        assert torch.equal(value, initial.loss[name] if taken else before[name]), name


def test_what_is_loaded_is_a_copy() -> None:
    initial = InitialState(state(student(1)), {})
    before = {name: value.clone() for name, value in initial.student.items()}
    mine = student(2)
    initial.load_into(mine, nn.Module())
    with torch.no_grad():
        for parameter in mine.parameters():
            parameter.add_(1.0)
    for name, value in initial.student.items():
        assert torch.equal(value, before[name])


def test_another_student_is_refused() -> None:
    initial = InitialState(state(student(1)), {})
    with pytest.raises(RuntimeError, match="size mismatch"):
        initial.load_into(nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2)), nn.Module())
