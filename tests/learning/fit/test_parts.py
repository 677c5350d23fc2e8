from __future__ import annotations

import pytest
import torch
from tests_support.probing import ProbedNetwork
from torch import nn

from serbench.api import SerbenchError, StudentShape
from serbench.learning.fit.parts import belongs, check_parts, freeze, rate_of, train_mode
from serbench.settings import TrainingSettings

SHAPE = StudentShape(num_classes=3, channels=3, n_mels=4)


def student() -> nn.Module:
    torch.manual_seed(0)
    return ProbedNetwork(SHAPE)


@pytest.mark.parametrize(
    ("name", "part", "due"),
    [
        ("blocks.1.norm.weight", "blocks", True),
        ("blocks.1.norm.weight", "blocks.1", True),
        ("blocks.1.norm.weight", "blocks.1.norm.weight", True),
        ("blocks.10.norm.weight", "blocks.1", False),
        ("blocks", "blocks.1", False),
    ],
)
def test_a_name_belongs_to_a_part_by_whole_steps(name: str, part: str, due: bool) -> None:
    assert belongs(name, part) is due


def test_frozen_parts_have_no_gradient_and_stay_in_evaluation_mode() -> None:
    made = student()
    freeze(made, ("lower", "embed"))
    train_mode(made, ("lower", "embed"))
    taught = {name for name, p in made.named_parameters() if p.requires_grad}
    assert taught == {"upper.weight", "upper.bias", "classify.weight", "classify.bias"}
    training = {name for name, module in made.named_modules() if module.training}
    assert training == {"", "upper", "classify"}
    before = {name: value.clone() for name, value in made.named_buffers()}
    batch = torch.randn(5, 3, 4, 7), torch.tensor([7, 6, 5, 4, 3])
    first, second = made(*batch).logits, made(*batch).logits
    assert torch.equal(first, second)  # no dropout
    for name, value in made.named_buffers():
        assert torch.equal(value, before[name]), name


def test_nothing_is_recorded_before_a_classifier_that_is_trained_alone() -> None:
    made = student()
    parts = ("lower", "upper", "embed")
    freeze(made, parts)
    train_mode(made, parts)
    output = made(torch.randn(5, 3, 4, 7), torch.full((5,), 7))
    assert not output.embedding.requires_grad
    assert output.embedding.grad_fn is None
    output.logits.sum().backward()
    touched = {name for name, p in made.named_parameters() if p.grad is not None}
    assert touched == {"classify.weight", "classify.bias"}


def test_the_longest_part_gives_the_rate() -> None:
    rates = {"blocks": 0.1, "blocks.2": 0.5, "blocks.2.norm": 2.0}
    names = ("blocks.1.weight", "blocks.2.weight", "blocks.2.norm.bias", "classify.weight")
    assert [rate_of(name, rates) for name in names] == [0.1, 0.5, 2.0, 1.0]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"freeze": ["lower", "uper"]}, "freeze: .* 'uper'; .* of lower, upper, embed, classify,"),
        ({"rates": {"low": 0.1}}, "rates: .* 'low'; .* one of lower, upper, classify,"),
        ({"rates": {"embed": 0.1}}, "rates: .* 'embed'; .* one of lower, upper, classify,"),
    ],
)
def test_a_part_that_is_not_there_is_told_with_those_that_are(
    settings: dict[str, object], told: str
) -> None:
    with pytest.raises(SerbenchError, match=rf"^training\.{told} or a part inside them$"):
        check_parts(student(), TrainingSettings.model_validate(settings))


def test_something_must_be_left_to_train() -> None:
    everything = {"freeze": ["lower", "upper", "classify"]}
    with pytest.raises(SerbenchError, match=r"leaves no parameter .* training\.epochs = 0"):
        check_parts(student(), TrainingSettings.model_validate(everything))
    probed = {**everything, "epochs": 0, "probe": True}
    check_parts(student(), TrainingSettings.model_validate(probed))
