from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import (
    Batch,
    Loss,
    LossShape,
    LossTerms,
    Params,
    PluginError,
    StudentOutput,
)
from serbench.testing import check_loss

Compute = Callable[[Batch, StudentOutput], LossTerms]


def loss_of(
    compute: Compute,
    *needs: str,
    readings: Callable[[Batch], object] | None = None,
) -> type[Loss]:
    """A loss plugin.

    Args:
        compute: its forward.
        needs: of the teachers.
        readings: what it notes of a batch.
    """

    class Module(nn.Module):
        def forward(self, batch: Batch, output: StudentOutput) -> LossTerms:
            if readings is not None:
                self.readings = readings(batch)
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


def guided(batch: Batch, output: StudentOutput) -> LossTerms:
    return {"total": cross_entropy(batch, output) + output.maps[0].square().mean()}


def test_a_loss_that_needs_maps_says_so_before_training() -> None:
    with pytest.raises(AssertionError, match=r"^no maps with 0 teachers; .*IndexError.*in build$"):
        check_loss(loss_of(guided))

    class Refuses(loss_of(guided)):
        def build(self, shape: LossShape) -> nn.Module:
            if not shape.map_dims:
                raise PluginError("the student gives no maps")
            return super().build(shape)

    check_loss(Refuses)


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (cross_entropy, "what forward returns must be a dict"),
        (lambda b, o: {"ce": cross_entropy(b, o)}, "no 'total' among the terms"),
        (lambda b, o: {"total": o.logits.square()}, "the term 'total' must be"),
        (lambda b, o: {"total": o.logits.sum() / 0}, "the term 'total' must be finite"),
        (
            lambda b, o: {
                "total": o.embedding.sum() + F.cross_entropy(o.logits.detach(), b.labels)
            },
            "no gradient of the total reaches the student's logits",
        ),
        (
            lambda b, o: {"total": F.cross_entropy(o.logits.detach() + 0 * o.logits, b.labels)},
            "logits is zero",
        ),
        (
            lambda b, o: {"total": cross_entropy(b, o) * (1 + torch.rand(()))},
            "the same total each time",
        ),
        (
            lambda b, o: {"total": -o.logits.softmax(1).gather(1, b.labels[:, None]).log().mean()},
            "the total with logits of ±10000 must be finite",
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


# ── readings ─────────────────────────────────────────────────────────────────────────────────────


def with_readings(read: Callable[[Batch], object]) -> type[Loss]:
    return loss_of(lambda b, o: {"total": cross_entropy(b, o)}, readings=read)


def test_good_readings_pass() -> None:
    check_loss(with_readings(lambda b: {"gamma": torch.zeros(len(b.labels))}))
    check_loss(with_readings(lambda b: {"weights": torch.zeros(len(b.labels), 3)}))
    check_loss(with_readings(lambda _: {}))


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda _: [], "readings must be a dict"),
        (lambda _: {"gamma": 0.5}, "the reading 'gamma' must be a Tensor"),
        (lambda _: {"gamma": torch.zeros(())}, r"the reading 'gamma' must be \(6,\) or \(6, k\)"),
        (lambda _: {"gamma": torch.zeros(6)}, r"must be \(2,\) or \(2, k\), not \(6,\)"),
        (lambda b: {"w": torch.zeros(len(b.labels), 2, 2)}, "the reading 'w' must be"),
        (
            lambda b: {"beta": torch.zeros(len(b.labels), requires_grad=True)},
            "the reading 'beta' must be detached",
        ),
    ],
)
def test_broken_readings_are_told(read: Callable[[Batch], object], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_loss(with_readings(read))


# ── objectives of pretraining ────────────────────────────────────────────────────────────────────


def hint(batch: Batch, output: StudentOutput) -> Tensor:
    return (output.embedding.mean() - batch.teacher_frames[0].mean()).square()


def test_a_loss_that_reads_no_labels_may_reach_the_student_elsewhere() -> None:
    check_loss(loss_of(lambda b, o: {"total": hint(b, o)}, "frames"))
    check_loss(loss_of(lambda b, o: {"total": o.embedding.square().mean()}))


@pytest.mark.parametrize(
    ("compute", "needs", "message"),
    [
        (
            lambda b, o: {"total": hint(b, o) * 0}, ("frames",),
            "with 1 teacher.*: no gradient of the total reaches the student",
        ),
        (
            lambda b, o: {"total": hint(b, o) + b.labels.clamp_min(0).float().mean()}, ("frames",),
            "no gradient of the total reaches the student's logits",
        ),
        (
            lambda b, o: {"total": hint(b, o)}, ("frames", "soft_targets"),
            "no gradient of the total reaches the student's logits",
        ),
    ],
)  # fmt: skip
def test_one_that_teaches_nothing_or_reads_labels_is_told(
    compute: Compute, needs: tuple[str, ...], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_loss(loss_of(compute, *needs))
