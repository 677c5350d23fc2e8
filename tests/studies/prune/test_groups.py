"""Heads and hidden units: found where they are, and gone as if they had been silent."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from serbench.api import Params, Student, StudentShape
from serbench.studies.prune.groups import (
    Draft,
    FewerHeads,
    Heads,
    HiddenUnits,
    attention_parts,
    cut_linear,
    find_heads,
    find_hidden_units,
)
from serbench_akd.networks.layers import SelfAttention

SHAPE = StudentShape(2)


class Any(Student):
    name = "any"
    Params = Params

    def build(self, shape: StudentShape) -> nn.Module:
        raise AssertionError("nothing here builds anew")


def draft(network: nn.Module) -> Draft:
    return Draft(Any(Params()), network, SHAPE)


def attend(x: np.ndarray, module: SelfAttention, kept: list[int], mask: np.ndarray) -> np.ndarray:
    """Attention by its kept heads, one after another, in float64."""
    dim, size = module.out.in_features, module.out.in_features // module.heads
    weight, bias = (p.detach().double().numpy() for p in (module.qkv.weight, module.qkv.bias))
    out = module.out.weight.detach().double().numpy()
    y = np.tile(module.out.bias.detach().double().numpy(), (*x.shape[:2], 1))
    for head in kept:
        rows = [
            slice(part * dim + head * size, part * dim + (head + 1) * size) for part in range(3)
        ]
        query, key, value = (x @ weight[row].T + bias[row] for row in rows)
        scores = query @ key.swapaxes(-1, -2) / np.sqrt(size)
        scores = np.where(mask[:, None, :], scores, -np.inf)
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        y += shares @ value @ out[:, head * size : (head + 1) * size].T
    return y


kept_heads = st.sets(st.integers(0, 3), min_size=1).map(sorted)


@settings(max_examples=15, deadline=None)
@given(kept_heads, st.integers(0, 100))
def test_fewer_heads_attend_as_the_kept_ones_did(kept: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    whole = SelfAttention(12, 4).eval()
    x = torch.randn(2, 6, 12)
    mask = torch.arange(6)[None] < torch.tensor([6, 4])[:, None]
    fewer = FewerHeads(whole, torch.tensor(kept))
    expected = attend(x.double().numpy(), whole, kept, mask.numpy())
    np.testing.assert_allclose(fewer(x, mask).detach().numpy(), expected, atol=1e-5)
    everywhere = attend(x.double().numpy(), whole, kept, np.ones((2, 6), bool))
    np.testing.assert_allclose(fewer(x).detach().numpy(), everywhere, atol=1e-5)
    silent = [head for head in range(4) if head not in kept]
    network = nn.ModuleDict({"attention": whole})
    Heads("attention", 4).silence(network, torch.tensor(silent, dtype=torch.long))
    np.testing.assert_allclose(whole(x, mask).detach().numpy(), expected, atol=1e-5)
    own = 3 * 3 * (12 + 1) + 3 * 12  # of a head of 3 dimensions
    assert sum(p.numel() for p in fewer.parameters()) == len(kept) * own + 12


def test_all_heads_kept_is_the_module_itself() -> None:
    whole = SelfAttention(12, 3).eval()
    x = torch.randn(2, 5, 12)
    fewer = FewerHeads(whole, torch.arange(3))
    assert torch.allclose(fewer(x), whole(x), atol=1e-6)
    assert sum(p.numel() for p in fewer.parameters()) == sum(p.numel() for p in whole.parameters())


def test_norms_of_heads_are_those_of_all_that_goes_with_them() -> None:
    module = SelfAttention(6, 3)
    norms = Heads("a", 3).norms(nn.ModuleDict({"a": module}))
    for head in range(3):
        own = [module.out.weight[:, 2 * head : 2 * head + 2]]
        for part in range(3):
            rows = slice(6 * part + 2 * head, 6 * part + 2 * head + 2)
            own += [module.qkv.weight[rows], module.qkv.bias[rows]]
        expected = np.sqrt(sum(float((each.detach().double() ** 2).sum()) for each in own))
        assert float(norms[head]) == pytest.approx(expected, rel=1e-6)


class Wider(SelfAttention):
    """Attention with a weight of its own besides."""

    def __init__(self) -> None:
        super().__init__(4, 2)
        self.scale = nn.Parameter(torch.ones(1))


def odd(d: int = 4, heads: object = 2, out: int = 4, child: bool = False) -> nn.Module:
    module = SelfAttention(d, 1)
    module.heads = heads  # pyright: ignore[reportAttributeAccessIssue]
    module.out = nn.Linear(d, out)
    if child:
        module.norm = nn.LayerNorm(d)
    return module


@pytest.mark.parametrize(
    "module",
    [Wider(), odd(heads=3), odd(out=5), odd(child=True), odd(heads="2"), nn.Linear(4, 12)],
)
def test_what_only_looks_like_attention_is_not_taken_for_it(module: nn.Module) -> None:
    with pytest.raises(TypeError):
        attention_parts(module)
    assert list(find_heads(draft(nn.ModuleDict({"a": module})))) == []


def test_one_head_cannot_be_taken_out() -> None:
    assert list(find_heads(draft(nn.ModuleDict({"a": SelfAttention(4, 1)})))) == []


def test_attention_is_found_by_its_place_and_replaced_there() -> None:
    network = nn.ModuleDict({"b": nn.ModuleList([SelfAttention(8, 2), SelfAttention(8, 4)])})
    found = list(find_heads(draft(network)))
    assert found == [Heads("b.0", 2), Heads("b.1", 4)]
    assert list(found[1].sizes) == [1, 2, 3, 4]
    found[1].remove(draft(network), torch.tensor([0, 3]))
    replaced = network.get_submodule("b.1")
    assert isinstance(replaced, FewerHeads)
    assert (replaced.heads, replaced.head_dim, replaced.qkv.out_features) == (2, 2, 12)


def perceptron() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Linear(4, 9), nn.GELU(), nn.Dropout(0.1), nn.Linear(9, 6, bias=False), nn.Tanh(),
        nn.Linear(6, 2),
    )  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(
    st.sets(st.integers(0, 8), min_size=1).map(sorted),
    st.sets(st.integers(0, 5), min_size=1).map(sorted),
)
def test_hidden_units_are_gone_as_if_silent(first: list[int], second: list[int]) -> None:
    network = nn.ModuleDict({"mlp": perceptron()}).eval()
    whole = deepcopy(network)
    for group, kept in zip(find_hidden_units(draft(whole)), (first, second), strict=True):
        gone = [unit for unit in range(group.units) if unit not in kept]
        group.silence(whole, torch.tensor(gone, dtype=torch.long))
        group.remove(draft(network), torch.tensor(kept))
    x = torch.randn(5, 4)
    assert torch.allclose(network["mlp"](x), whole["mlp"](x), atol=1e-6)
    sizes = [tuple(p.shape) for p in network.parameters()]
    a, b = len(first), len(second)
    assert sizes == [(a, 4), (a,), (b, a), (2, b), (2,)]


def test_perceptrons_are_found_by_the_layer_that_makes_their_units() -> None:
    network = nn.ModuleDict({"mlp": perceptron()})
    found = list(find_hidden_units(draft(network)))
    assert found == [HiddenUnits("mlp", "0", "3", 9), HiddenUnits("mlp", "3", "5", 6)]
    assert [group.name for group in found] == ["mlp.0", "mlp.3"]
    norms = found[0].norms(network)
    weights = dict(network.named_parameters())
    for unit in range(9):
        own = [weights[f"mlp.0.{name}"][unit] for name in ("weight", "bias")]
        own.append(weights["mlp.3.weight"][:, unit])
        expected = np.sqrt(sum(float((each.detach().double() ** 2).sum()) for each in own))
        assert float(norms[unit]) == pytest.approx(expected, rel=1e-6)


def test_a_normalisation_between_two_layers_is_no_perceptron() -> None:
    network = nn.ModuleDict({"m": nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))})
    assert list(find_hidden_units(draft(network))) == []


def test_a_cut_layer_leaves_the_generator_alone() -> None:
    layer = nn.Linear(5, 4)
    before = torch.get_rng_state()
    made = cut_linear(layer, torch.tensor([1, 3]), torch.tensor([0, 2, 4]))
    assert torch.equal(torch.get_rng_state(), before)
    expected: Tensor = layer.weight[[1, 3]][:, [0, 2, 4]]
    assert torch.equal(made.weight, expected)
    assert torch.equal(made.bias, layer.bias[[1, 3]])
