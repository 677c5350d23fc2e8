from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import Batch, Loss, LossTerms, Params, StudentOutput
from serbench.testing import check_loss

Compute = Callable[[Batch, StudentOutput], LossTerms]


def loss_of(compute: Compute, *needs: str) -> type[Loss]:
    class Module(nn.Module):
        def forward(self, batch: Batch, output: StudentOutput) -> LossTerms:
            return compute(batch, output)

    members = {
        "name": "l",
        "Params": Params,
        "needs": property(lambda _: frozenset(needs)),
        "build": lambda *_: Module(),
    }
    return type("L", (Loss,), members)


def cross_entropy(batch: Batch, output: StudentOutput) -> Tensor:
    return F.cross_entropy(output.logits, batch.labels)


def test_good_losses_pass() -> None:
    check_loss(loss_of(lambda b, o: {"total": cross_entropy(b, o)}))
    hint = loss_of(
        lambda b, o: {"total": cross_entropy(b, o) + b.teacher_pooled[0].square().mean()}, "pooled"
    )
    check_loss(hint)


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (cross_entropy, "what forward returns must be a dict"),
        (lambda b, o: {"ce": cross_entropy(b, o)}, "no 'total' among the terms"),
        (lambda b, o: {"total": o.logits.square()}, "the term 'total' must be"),
        (lambda b, o: {"total": o.logits.sum() / 0}, "the term 'total' must be finite"),
        (
            lambda b, o: {"total": o.embedding.sum()},
            "no gradient of the total reaches the student's logits",
        ),
        (lambda b, o: {"total": o.logits.sum() * 0}, "logits is zero"),
        (
            lambda b, o: {"total": cross_entropy(b, o) * (1 + torch.rand(()))},
            "another total each time",
        ),
        (
            lambda b, o: {"total": -o.logits.softmax(1).gather(1, b.labels[:, None]).log().mean()},
            "logits of ±10000: the total must be finite",
        ),
    ],
)
def test_a_broken_loss_is_told(compute: Compute, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_loss(loss_of(compute))


def test_unknown_needs_are_told() -> None:
    with pytest.raises(AssertionError, match=r"not \['logits'\]"):
        check_loss(loss_of(lambda b, o: {"total": cross_entropy(b, o)}, "logits"))


def test_a_loss_gets_nothing_that_it_did_not_ask_for() -> None:
    seen: list[tuple[int, int, int]] = []

    def compute(batch: Batch, output: StudentOutput) -> LossTerms:
        given = (len(batch.teacher_logits), len(batch.teacher_pooled), len(batch.teacher_frames))
        seen.append(given)
        return {"total": cross_entropy(batch, output)}

    check_loss(loss_of(compute, "frames"))
    assert set(seen) == {(0, 0, 1), (0, 0, 2), (0, 0, 3)}
