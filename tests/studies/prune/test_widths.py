"""Channels by the parameters that count them: what belongs to them, and how maps are flattened."""

from __future__ import annotations

from copy import deepcopy
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from serbench.api import Params, SerbenchError, Student, StudentOutput, StudentShape
from serbench.studies.prune.groups import Draft
from serbench.studies.prune.network import TOLERANCE, can_remove, logit_gap
from serbench.studies.prune.widths import Tie, Width, find_widths, numbers, with_width
from serbench_akd.hybrid import Hybrid, HybridParams

SHAPE = StudentShape(3, 3, 8)


class ConvParams(Params):
    width: int = Field(default=6, gt=0, multiple_of=2)
    flatten: Literal["channels first", "channels last"] = "channels first"
    hidden: PositiveInt = 5
    layer_norm: bool = False


class ConvNetwork(nn.Module):
    """Two convolutions, the mean over frames, one linear layer over channels and bins."""

    def __init__(self, params: ConvParams, shape: StudentShape) -> None:
        super().__init__()
        self.last = params.flatten == "channels last"
        if params.width == 2:
            raise ValueError("two channels cannot be built")
        self.scale = nn.LayerNorm(params.width if params.layer_norm else shape.n_mels)
        self.layer_norm = params.layer_norm
        self.first = nn.Conv2d(shape.channels, params.width, 3, padding=1)
        self.norm = nn.BatchNorm2d(params.width)
        self.second = nn.Conv2d(params.width, params.width, (3, 1), padding=(1, 0))
        self.hidden = nn.Linear(params.width * shape.n_mels, params.hidden)
        self.classify = nn.Linear(params.hidden, shape.num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
        x = torch.relu(self.norm(self.first(features)))
        x = torch.relu(x + self.second(x)).mean(dim=3)
        x = self.scale(x.transpose(1, 2)).transpose(1, 2) if self.layer_norm else self.scale(x)
        embedding = self.hidden((x.transpose(1, 2) if self.last else x).flatten(1))
        return StudentOutput(self.classify(embedding), embedding)


class Conv(Student):
    name = "conv"
    Params = ConvParams
    params: ConvParams

    def build(self, shape: StudentShape) -> nn.Module:
        return ConvNetwork(self.params, shape)


def lively(network: nn.Module) -> nn.Module:
    """Normalisations that are no identity, as in a trained network."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            for value in (module.running_mean, module.weight.data, module.bias.data):
                value.normal_()
            module.running_var.uniform_(0.5, 2.0)
    return network.eval()


def draft(student: Student, shape: StudentShape = SHAPE, seed: int = 0) -> Draft:
    torch.manual_seed(seed)
    return Draft(student, lively(student.build(shape)), shape)


@pytest.fixture(scope="module")
def hybrid() -> Draft:
    params = HybridParams(stem_channels=(4, 6, 8), blocks=1, heads=2, fused_dim=8)
    return draft(Hybrid(params), StudentShape(3, 3, 12))


def test_numbers_of_nested_parameters_have_paths() -> None:
    table = {"a": 3, "b": (1, 8), "c": {"d": [2, {"e": 5}]}, "on": True, "x": 0.5, "s": "9"}
    assert dict(numbers(table)) == {
        ("a",): 3, ("b", 1): 8, ("c", "d", 0): 2, ("c", "d", 1, "e"): 5,
    }  # fmt: skip


def test_a_width_is_changed_within_a_tuple() -> None:
    student = Hybrid(HybridParams(stem_channels=(4, 6, 8), heads=2))
    smaller = with_width(student, ("stem_channels", 1), 5)
    assert smaller.params.stem_channels == (4, 5, 8)
    assert student.params.stem_channels == (4, 6, 8)
    with pytest.raises(ValueError, match="multiple of heads"):
        with_width(student, ("stem_channels", 2), 7)


def test_the_stem_is_found_and_what_depends_on_it(hybrid: Draft) -> None:
    found = [each for each in find_widths(hybrid) if can_remove(hybrid, each)]
    assert [each.name for each in found] == ["stem_channels[0]", "stem_channels[1]"]
    assert [each.units for each in found] == [4, 6]
    first, second = (set(each.ties) for each in found)
    assert {
        Tie("stages.0.convolution.weight", 0, 1),
        Tie("stages.1.convolution.weight", 1, 1),
    } < first
    assert len(first) == 6  # and the normalisation's four
    kernel = "residuals.1.bodies.0.convolution.weight"
    bins = 3  # 12 mel filters, halved twice
    assert {Tie(kernel, 0, 1), Tie(kernel, 1, 1), Tie("skip.weight", 1, bins)} < second
    assert found[1].layout == "units within blocks"


def test_what_a_layer_normalisation_sees_is_not_taken_out() -> None:
    whole = draft(Conv(ConvParams(layer_norm=True)))
    found = list(find_widths(whole))
    assert {Tie("scale.weight", 0, 1), Tie("scale.bias", 0, 1)} < set(found[0].ties)
    assert not any(can_remove(whole, each) for each in found)


@settings(max_examples=12, deadline=None)
@given(
    st.sets(st.integers(0, 3), min_size=1).map(sorted),
    st.sets(st.integers(0, 5), min_size=1).map(sorted),
)
def test_any_channels_of_the_stem_are_gone_as_if_silent(
    first: list[int], second: list[int]
) -> None:
    params = HybridParams(stem_channels=(4, 6, 8), blocks=1, heads=2, fused_dim=8)
    whole = draft(Hybrid(params), StudentShape(3, 3, 12))
    groups = [g for g in find_widths(whole) if g.name.startswith("stem") and can_remove(whole, g)]
    silent, cut = deepcopy(whole.network), whole
    for group, kept in zip(groups, (first, second), strict=True):
        gone = [unit for unit in range(group.units) if unit not in kept]
        group.silence(silent, torch.tensor(gone, dtype=torch.long))
        cut = group.remove(cut, torch.tensor(kept))
    assert cut.student.params.stem_channels == (len(first), len(second), 8)
    assert logit_gap(silent, cut.network, whole.shape) <= TOLERANCE
    assert whole.student.params.stem_channels == (4, 6, 8)


@pytest.mark.parametrize(
    ("flatten", "layout"),
    [("channels first", "blocks within units"), ("channels last", "units within blocks")],
)
def test_how_a_map_is_flattened_is_found_by_trying(flatten: str, layout: str) -> None:
    whole = draft(Conv(ConvParams.model_validate({"flatten": flatten})))
    found = list(find_widths(whole))
    assert [each.name for each in found] == ["width", "width"]
    (right,) = [each for each in found if can_remove(whole, each)]
    assert right.layout == layout
    assert list(right.sizes) == [2, 4, 6]  # what the schema allows
    assert Tie("hidden.weight", 1, 8) in right.ties


def test_norms_are_over_all_that_makes_and_reads_a_channel() -> None:
    whole = draft(Conv(ConvParams()))
    (width,) = [each for each in find_widths(whole) if can_remove(whole, each)]
    weights = dict(whole.network.named_parameters())
    norms = width.norms(whole.network)
    for unit in range(6):
        own = [weights[name][unit] for name in weights if name.split(".")[0] in {"first", "norm"}]
        own += [weights["second.weight"][unit], weights["second.weight"][:, unit]]
        own += [weights["second.bias"][unit], weights["hidden.weight"][:, 8 * unit : 8 * unit + 8]]
        expected = sum(float((each.detach().double() ** 2).sum()) for each in own) ** 0.5
        assert float(norms[unit]) == pytest.approx(expected, rel=1e-6)


def test_a_number_that_cannot_be_built_is_told() -> None:
    whole = draft(Conv(ConvParams()))
    width = next(each for each in find_widths(whole) if each.layout == "blocks within units")
    with pytest.raises(SerbenchError, match="with width = 2: two channels cannot be built"):
        width.remove(whole, torch.arange(2))


def test_a_number_that_counts_no_channel_is_no_width() -> None:
    names = {each.name for each in find_widths(draft(Conv(ConvParams())))}
    assert "hidden" not in names


def test_the_generator_stays_where_it_was(hybrid: Draft) -> None:
    before = torch.get_rng_state()
    list(find_widths(hybrid))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_path_reads_as_python_writes_it() -> None:
    assert Width(("a", 0, "b"), 2, (1, 2), (), "units within blocks").name == "a[0][b]"
