"""The precision that losses are computed in."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(values: Tensor) -> Tensor:
    """``values`` in float32, or untouched where they are float64 already.

    Students and teachers may give bf16 or float16; exponentials, norms and means of those lose
    whole digits.
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))
