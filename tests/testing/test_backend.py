from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from serbench.api import Backend, Params, Predictor
from serbench.testing import check_backend

Compile = Callable[[nn.Module, Tensor, Tensor], Predictor]


def backend_of(compile_: Compile, unavailable: str | None = None) -> type[Backend]:
    members = {
        "name": "b",
        "Params": Params,
        "unavailable": lambda _: unavailable,
        "compile": lambda _, *arguments: compile_(*arguments),
    }
    return type("B", (Backend,), members)


def eager(student: nn.Module, _features: Tensor, _lengths: Tensor) -> Predictor:
    def predict(features: Tensor, lengths: Tensor) -> Tensor:
        with torch.no_grad():
            was_training = student.training
            logits = student.eval()(features, lengths).logits
            student.train(was_training)
            return logits

    return predict


def test_a_good_backend_passes_and_an_unavailable_one_says_why() -> None:
    assert check_backend(backend_of(eager)) is None
    assert check_backend(backend_of(eager, "no such device")) == "no such device"


def with_logits(change: Callable[[Tensor], Tensor]) -> Compile:
    return lambda student, f, n: lambda x, m: change(eager(student, f, n)(x, m))


def halve(student: nn.Module, features: Tensor, lengths: Tensor) -> Predictor:
    return eager(student.half(), features, lengths)


def switch(student: nn.Module, features: Tensor, lengths: Tensor) -> Predictor:
    return eager(student.eval(), features, lengths)


@pytest.mark.parametrize(
    ("compile_", "message"),
    [
        (halve, "must not change the student"),
        (switch, "leave the student's mode"),
        (with_logits(lambda logits: logits + 0.01), "differ from the student's own by 1.0e-02"),
        (with_logits(lambda logits: logits.double()), "must be float32"),
        (with_logits(lambda logits: logits[:, :2]), "logits of 2 × 120 frames must be"),
        (with_logits(lambda logits: logits.requires_grad_()), "must not track gradients"),
        (with_logits(lambda logits: logits + 1e-6 * torch.rand(1)), "other logits each time"),
    ],
)
def test_a_broken_backend_is_told(compile_: Compile, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_backend(backend_of(compile_))


def test_an_empty_reason_is_told() -> None:
    with pytest.raises(AssertionError, match="must give a reason"):
        check_backend(backend_of(eager, " "))
