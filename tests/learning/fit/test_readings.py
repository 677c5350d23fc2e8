from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from serbench.learning.fit.readings import Readings


def loss(**values: Tensor) -> nn.Module:
    module = nn.Module()
    module.readings = values  # pyright: ignore[reportArgumentType]
    return module


def test_readings_are_kept_by_epoch_and_utterance() -> None:
    readings = Readings(4, epochs=2)
    gate = torch.tensor([0.5, 0.25], requires_grad=True)
    readings.take(loss(gamma=gate), 1, torch.tensor([2, 0]))
    readings.take(loss(gamma=torch.tensor([1.0])), 1, torch.tensor([3]))
    readings.take(loss(gamma=torch.tensor([7.0, 8.0])), 2, torch.tensor([1, 2]))
    found = readings.arrays()["gamma"]
    assert found.dtype == np.float32
    nan = np.nan
    np.testing.assert_array_equal(found, [[0.25, nan, 0.5, 1.0], [nan, 7.0, 8.0, nan]])


def test_several_values_a_segment_and_other_types() -> None:
    readings = Readings(2, epochs=1)
    weights = torch.tensor([[0.1, 0.9], [0.4, 0.6]], dtype=torch.float64)
    readings.take(loss(weights=weights, reliable=torch.tensor([True, False])), 1, torch.arange(2))
    found = readings.arrays()
    assert found["weights"].shape == (1, 2, 2)
    np.testing.assert_allclose(found["weights"][0], weights)
    np.testing.assert_array_equal(found["reliable"], [[1.0, 0.0]])


def test_epochs_that_early_stopping_saved_are_left_out() -> None:
    readings = Readings(1, epochs=9)
    for epoch in (1, 2, 3):
        readings.take(loss(beta=torch.tensor([float(epoch)])), epoch, torch.tensor([0]))
    np.testing.assert_array_equal(readings.arrays()["beta"], [[1.0], [2.0], [3.0]])


def test_what_comes_late_is_missing_before() -> None:
    readings = Readings(1, epochs=2)
    readings.take(loss(), 1, torch.tensor([0]))
    readings.take(loss(beta=torch.tensor([1.0])), 2, torch.tensor([0]))
    np.testing.assert_array_equal(readings.arrays()["beta"], [[np.nan], [1.0]])


def test_a_loss_without_readings_has_none() -> None:
    readings = Readings(3, epochs=1)
    readings.take(nn.Module(), 1, torch.tensor([0, 1]))
    assert readings.arrays() == {}
