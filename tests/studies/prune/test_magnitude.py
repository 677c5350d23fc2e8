"""Which weights go, against a sort in NumPy; that they stay gone while the rest is trained."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from serbench.studies.prune.magnitude import (
    hold,
    prunable_layers,
    settle,
    silence_weights,
    smallest_masked,
)


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv1d(3, 5, 3), nn.BatchNorm1d(5), nn.ReLU(), nn.Flatten(), nn.Linear(20, 7),
        nn.LayerNorm(7), nn.Linear(7, 2),
    )  # fmt: skip


LAYERS = ("0", "4", "6")
WEIGHTS = 5 * 3 * 3 + 20 * 7 + 7 * 2


def weights(model: nn.Module) -> np.ndarray:
    """All matrices and kernels, end to end."""
    values = [model.get_parameter(f"{name}.weight").detach().flatten() for name in LAYERS]
    return torch.cat(values).numpy()


@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 0.99), st.integers(0, 100))
def test_the_smallest_of_all_layers_go_and_nothing_else(amount: float, seed: int) -> None:
    model = network(seed)
    masks = smallest_masked(model, amount)
    kept = torch.cat([masks[name].flatten() for name in LAYERS]).numpy().astype(bool)
    gone = round(amount * WEIGHTS)
    smallest = np.argsort(np.abs(weights(model)), kind="stable")[:gone]
    np.testing.assert_array_equal(np.flatnonzero(~kept), np.sort(smallest))
    cut = silence_weights(deepcopy(model), masks)
    np.testing.assert_array_equal(weights(cut), np.where(kept, weights(model), 0.0))
    for (name, before), after in zip(model.named_parameters(), cut.parameters(), strict=True):
        if not name.endswith("weight") or name.startswith(("1.", "5.")):
            assert torch.equal(before, after)


def test_the_network_stays_as_it_was() -> None:
    model = network()
    before = deepcopy(model.state_dict())
    smallest_masked(model, 0.5)
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.Adam])
def test_masks_survive_training_and_copies(optimizer: type[torch.optim.Optimizer]) -> None:
    model = network()
    masks = smallest_masked(model, 0.6)
    held = hold(silence_weights(deepcopy(model), masks), masks).train()
    steps = optimizer(held.parameters(), lr=0.1, weight_decay=0.1)  # pyright: ignore[reportCallIssue]
    for _ in range(5):
        steps.zero_grad()
        held(torch.randn(8, 3, 6)).square().mean().backward()
        steps.step()
    copied = deepcopy(held).eval()  # as a backend copies a trained student
    x = torch.randn(4, 3, 6)
    expected = copied(x)
    trained = settle(held, masks).eval()
    assert torch.equal(trained(x), expected)
    assert trained.state_dict().keys() == model.state_dict().keys()
    zero = np.concatenate([(masks[name] == 0).flatten().numpy() for name in LAYERS])
    assert not weights(trained)[zero].any()
    assert (weights(trained)[~zero] != weights(model)[~zero]).all()


def test_what_two_layers_share_is_left_alone() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 3))
    model[1].weight = model[0].weight
    assert list(prunable_layers(model)) == ["2"]


def test_layers_without_a_matrix_are_no_layers_to_prune() -> None:
    model = nn.Sequential(nn.BatchNorm1d(4), nn.ReLU(), nn.LayerNorm(4))
    assert prunable_layers(model) == {}
