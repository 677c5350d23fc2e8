"""Number of operations and parameters of a network, counted and not taken from formulas."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from serbench.api import FrontEnd
from serbench.learning.front_ends import frames_of

WINDOW_S = 3.0
"""The window length at which students are compared, whatever windows they were trained on."""


def count_parameters(network: nn.Module) -> tuple[int, int]:
    """Number of trained parameters, and how many of them are not 0."""
    weights = list(network.parameters())
    nonzero = sum(int(torch.count_nonzero(each)) for each in weights)
    return sum(each.numel() for each in weights), nonzero


def count_flops(module: nn.Module, *inputs: Tensor) -> int:
    """FLOPs of matrix products and convolutions in one call, by ``torch.utils.flop_counter``.

    A multiply-accumulate counts as two. Multiplications by zero are counted as well.
    """
    counter = FlopCounterMode(display=False)
    with _counted(), torch.no_grad(), counter:
        module(*inputs)
    return int(counter.get_total_flops())


def window_flops(network: nn.Module, front_end: FrontEnd, device: torch.device) -> int:
    """FLOPs of a student in evaluation mode on one window of 3 s, without those of its front end.

    If the front end reads whole utterances, the student's input is what it gives for one.
    """
    frames = frames_of(front_end, WINDOW_S)
    window = torch.zeros(1, front_end.channels, front_end.width, frames, device=device)
    return count_flops(network.eval(), window, torch.tensor([frames], device=device))


@contextmanager
def _counted() -> Iterator[None]:
    """Switch off fused operations, because the counter cannot see inside them."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings(), sdpa_kernel(SDPBackend.MATH):
            warnings.simplefilter("ignore")  # about TF32, from setting any flag of oneDNN
            with torch.backends.mkldnn.flags(enabled=False):  # pyright: ignore[reportAttributeAccessIssue]
                yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
