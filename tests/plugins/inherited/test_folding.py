from __future__ import annotations

import torch
from torch import nn

from serbench_inherited.folding import folded, set_weights


def test_a_norm_folds_into_the_linear_layer_after_it() -> None:
    torch.manual_seed(0)
    norm, plain = nn.LayerNorm(6), nn.LayerNorm(6, elementwise_affine=False)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    for bias in (True, False):
        linear, twin = nn.Linear(6, 4, bias=bias), nn.Linear(6, 4)
        set_weights(twin, *folded(linear, norm))
        x = torch.randn(9, 6)
        torch.testing.assert_close(twin(plain(x)), linear(norm(x)))
