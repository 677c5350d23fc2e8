"""What a network allows, what of it goes, and what is told where that cannot be done."""

from __future__ import annotations

import pickle
from copy import deepcopy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests_support.runs import LinearStudent
from torch import Tensor, nn

from serbench.api import Params, SerbenchError, Student, StudentOutput, StudentShape
from serbench.studies.prune import network as network_module
from serbench.studies.prune.choices import (
    KINDS,
    UNTOUCHED,
    Cut,
    CutKind,
    check_amounts,
    check_kinds,
)
from serbench.studies.prune.groups import Draft
from serbench.studies.prune.network import TOLERANCE, Pruner, logit_gap, round_half_up, weakest
from serbench_akd.hybrid import Hybrid, HybridParams
from serbench_akd.networks.layers import SelfAttention
from serbench_baselines.transformer import Transformer, TransformerParams

SHAPE = StudentShape(3, 3, 12)
TINY = HybridParams(stem_channels=(4, 6, 8), blocks=1, time_blocks=1, heads=4, fused_dim=8)


def draft(student: Student, seed: int = 0) -> Draft:
    torch.manual_seed(seed)
    return Draft(student, student.build(SHAPE).eval(), SHAPE)


@pytest.fixture(scope="module")
def hybrid() -> Pruner:
    return Pruner(draft(Hybrid(TINY)), "akd/seed-0/outer-1")


def count(network: nn.Module) -> int:
    return sum(each.numel() for each in network.parameters())


# What is asked for


@pytest.mark.parametrize("wrong", [0.0, 1.0, -0.5, 1.5, float("nan"), float("inf")])
def test_an_amount_that_is_no_share_is_refused(wrong: float) -> None:
    with pytest.raises(SerbenchError, match=f"--amount {wrong:g}: give the share"):
        check_amounts([0.5, wrong])


def test_amounts_stand_once_and_in_order() -> None:
    assert check_amounts([0.75, 0.25, 0.75]) == (0.25, 0.75)


def test_kinds_stand_once_and_in_their_own_order() -> None:
    assert check_kinds(["channels", "magnitude", "channels"]) == ("magnitude", "channels")
    with pytest.raises(SerbenchError, match="--kind none: unknown kind; choose one of magnitude"):
        check_kinds(["heads", "none"])


# What students allow


def test_the_hybrid_allows_all_kinds(hybrid: Pruner) -> None:
    assert hybrid.kinds == KINDS
    names = {kind: [group.name for group in hybrid.groups(kind)] for kind in KINDS}
    assert names == {
        "magnitude": [],
        "heads": ["blocks.0.space", "blocks.0.time", "time_blocks.0.time"],
        "channels": [
            "stem_channels[0]", "stem_channels[1]", "blocks.0.mlp.0", "time_blocks.0.mlp.0",
            "pool.score.0",
        ],
    }  # fmt: skip


def test_a_student_whose_heads_are_not_apart_is_told_what_was_looked_for() -> None:
    params = TransformerParams(dim=8, layers=1, heads=2)
    pruner = Pruner(draft(Transformer(params)), "transformer/seed-0/outer-1")
    assert pruner.kinds == ("magnitude", "channels")
    with pytest.raises(SerbenchError) as caught:
        pruner.cut(Cut("heads", 0.5))
    text = str(caught.value)
    assert text.startswith("--kind heads: transformer/seed-0/outer-1 has no such parts to remove")
    assert "`qkv`, a linear layer from d to 3d" in text
    assert text.endswith("allows: magnitude, channels")


def test_a_linear_student_has_weights_alone() -> None:
    pruner = Pruner(draft(LinearStudent(Params())), "plain")
    assert pruner.kinds == ("magnitude",)
    with pytest.raises(SerbenchError, match=r"--kind channels: .* two linear layers"):
        pruner.cut(Cut("channels", 0.5))


class Twisted(SelfAttention):
    """Attention that mixes its heads before it projects them: none can be taken out alone."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return super().forward(x, mask).flip(-1) * self.out.weight.sum()


class TwistedStudent(Student):
    name = "twisted"
    Params = Params

    def build(self, shape: StudentShape) -> nn.Module:
        return TwistedNetwork(shape)


class TwistedNetwork(nn.Module):
    def __init__(self, shape: StudentShape) -> None:
        super().__init__()
        self.attend = Twisted(shape.n_mels, 2)
        self.classify = nn.Linear(shape.n_mels, shape.num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
        x = self.attend(features[:, 0].transpose(1, 2)).mean(dim=1)
        return StudentOutput(self.classify(x), x)


def test_parts_that_are_wired_otherwise_are_not_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = draft(TwistedStudent(Params()))
    assert Pruner(whole, "twisted").kinds == ("magnitude",)
    monkeypatch.setattr(network_module, "can_remove", lambda *_: True)
    with pytest.raises(SerbenchError, match="gives another network than silencing them"):
        Pruner(whole, "twisted").cut(Cut("heads", 0.5))


# What goes


structured = st.sampled_from(["heads", "channels"])


@settings(max_examples=12, deadline=None)
@given(structured, st.floats(0.2, 0.95))
def test_the_network_is_smaller_by_the_share_and_otherwise_the_same(
    hybrid: Pruner, kind: CutKind, amount: float
) -> None:
    before = deepcopy(hybrid.draft.network)
    cut = hybrid.cut(Cut(kind, amount)).build(SHAPE)
    silent = deepcopy(before)
    for group in hybrid.groups(kind):
        gone = weakest(group, before, amount)
        group.silence(silent, gone)
        wanted = round_half_up(amount * group.units)
        assert len(gone) == min(wanted, group.units - 1)
        norms = group.norms(before)
        others = [unit for unit in range(group.units) if unit not in gone.tolist()]
        if len(gone):
            assert norms[gone].max() <= norms[others].min()
    assert logit_gap(silent, cut, SHAPE) <= TOLERANCE
    assert count(cut) < count(before)
    same = hybrid.draft.network.state_dict()
    assert all(torch.equal(value, same[name]) for name, value in before.state_dict().items())


def test_half_the_heads_are_half_the_attention(hybrid: Pruner) -> None:
    cut = hybrid.cut(Cut("heads", 0.5)).build(SHAPE)
    # Of 3 attention modules of width 8: 2 of 4 heads, rows of q, k, v with biases, and columns.
    assert count(hybrid.draft.network) - count(cut) == 3 * (3 * 4 * (8 + 1) + 8 * 4)


def test_half_the_channels_are_a_student_of_half_the_stem(hybrid: Pruner) -> None:
    cut = hybrid.cut(Cut("channels", 0.5)).build(SHAPE)
    smaller = Hybrid(TINY.model_copy(update={"stem_channels": (2, 3, 8)})).build(SHAPE)
    hidden = 2 * (8 * (8 + 8 + 1)) + 2 * (8 + 8 + 1)  # half of 16, 16 and 4 units
    assert count(smaller) - count(cut) == hidden


def test_magnitude_keeps_the_shape_and_zeros_the_share(hybrid: Pruner) -> None:
    pruned = hybrid.cut(Cut("magnitude", 0.5))
    finished = pruned.finished(pruned.build(SHAPE).state_dict())
    whole = dict(hybrid.draft.network.named_parameters())
    total = sum(p.numel() for n, p in whole.items() if n.endswith("weight") and p.ndim > 1)
    zeros = sum(int((p == 0).sum() - (whole[n] == 0).sum()) for n, p in finished.named_parameters())
    assert zeros == round(0.5 * total)
    assert finished.state_dict().keys() == hybrid.draft.network.state_dict().keys()


def test_nothing_cut_is_the_network(hybrid: Pruner) -> None:
    copy = hybrid.cut(UNTOUCHED).build(SHAPE)
    assert logit_gap(hybrid.draft.network, copy, SHAPE) == 0.0
    assert copy is not hybrid.draft.network


@pytest.mark.parametrize("kind", KINDS)
def test_an_amount_that_takes_nothing_is_told(hybrid: Pruner, kind: CutKind) -> None:
    with pytest.raises(SerbenchError, match=r"--amount 0\.0001 is less than one"):
        hybrid.cut(Cut(kind, 0.0001))


def test_the_least_amount_that_is_told_is_enough(hybrid: Pruner) -> None:
    with pytest.raises(SerbenchError, match=r"parallel heads in akd/seed-0/outer-1; give 0\.25 or"):
        hybrid.cut(Cut("heads", 0.1))
    assert count(hybrid.cut(Cut("heads", 0.25)).network) < count(hybrid.draft.network)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pruned_student_travels_to_another_process(hybrid: Pruner, kind: CutKind) -> None:
    pruned = hybrid.cut(Cut(kind, 0.5))
    there = pickle.loads(pickle.dumps(pruned))
    assert logit_gap(pruned.build(SHAPE), there.build(SHAPE), SHAPE) == 0.0
    trained = there.build(SHAPE)
    for value in trained.parameters():
        value.data.add_(0.01)
    back = pruned.finished(trained.state_dict())
    assert logit_gap(trained, back, SHAPE) <= TOLERANCE


def test_every_build_is_a_copy_of_its_own(hybrid: Pruner) -> None:
    pruned = hybrid.cut(Cut("magnitude", 0.5))
    one, other = pruned.build(SHAPE), pruned.build(SHAPE)
    before = deepcopy(other.state_dict())
    for value in one.parameters():
        value.data.zero_()
    after: dict[str, Any] = other.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize(
    ("value", "expected"), [(0.5, 1), (1.5, 2), (2.5, 3), (2.49, 2), (0.0, 0), (3.0, 3)]
)
def test_halves_are_rounded_up(value: float, expected: int) -> None:
    assert round_half_up(value) == expected
