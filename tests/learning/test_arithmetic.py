from __future__ import annotations

import pytest
import torch
from tests_support.front_ends import front_end
from tests_support.runs import LinearNetwork
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.learning.arithmetic import count_flops, window_flops
from serbench.learning.front_ends import shape_of


def test_a_linear_layer_is_two_flops_for_each_weight_and_row() -> None:
    assert count_flops(nn.Linear(7, 5), torch.zeros(3, 7)) == 2 * 3 * 7 * 5


def test_a_grouped_convolution_counts_its_own_inputs() -> None:
    layer = nn.Conv2d(4, 8, (3, 5), padding=(1, 2), groups=2)
    assert count_flops(layer, torch.zeros(1, 4, 6, 10)) == 2 * 8 * 6 * 10 * (4 // 2) * 15


class Attention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x)


@pytest.mark.parametrize(("kind", "width"), [("log-mel", 3 * 40), ("whisper", 80)])
def test_students_are_counted_on_three_seconds(kind: str, width: int) -> None:
    settings = front_end(kind)
    network = LinearNetwork(shape_of(settings, 7))
    assert window_flops(network, settings, torch.device("cpu")) == 2 * width * 7


def test_fused_attention_is_counted() -> None:
    x = torch.zeros(2, 3, 11, 4)
    assert count_flops(Attention(), x) == 2 * (2 * 2 * 3 * 11 * 11 * 4)


def test_the_fast_path_of_an_encoder_layer_is_counted_and_left_as_it_was() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True).eval()
    before = torch.backends.mha.get_fastpath_enabled()
    t, d, hidden = 5, 8, 16
    projections, attention, feed = 4 * 2 * t * d * d, 2 * 2 * t * t * d, 2 * 2 * t * d * hidden
    assert count_flops(layer, torch.zeros(1, t, d)) == projections + attention + feed
    assert torch.backends.mha.get_fastpath_enabled() == before


def test_a_recurrent_layer_is_counted() -> None:
    layer = nn.LSTM(6, 4, batch_first=True).eval()
    assert count_flops(layer, torch.zeros(1, 9, 6)) == 2 * 9 * 4 * 4 * (6 + 4)
