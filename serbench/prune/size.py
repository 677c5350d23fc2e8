"""How large a network is: parameters, bytes of its weights, multiplications."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import safetensors.torch
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from serbench.api import StudentShape


@dataclass(frozen=True, slots=True)
class Size:
    """A network's size.

    Attributes:
        parameters: trained numbers.
        nonzero: those of them that are not 0.
        file_bytes: of a safetensors file of all weights and statistics, float32.
        compressed_bytes: of the same file through zlib at its highest level.
        macs: multiply-accumulates of matrix products and convolutions for one window.
    """

    parameters: int
    nonzero: int
    file_bytes: int
    compressed_bytes: int
    macs: int


def size_of(network: nn.Module, shape: StudentShape, frames: int) -> Size:
    """The size of ``network``, which must be on the CPU, for windows of so many ``frames``."""
    parameters = list(network.parameters())
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    stored = safetensors.torch.save(state)
    return Size(
        parameters=sum(each.numel() for each in parameters),
        nonzero=sum(int(torch.count_nonzero(each)) for each in parameters),
        file_bytes=len(stored),
        compressed_bytes=len(zlib.compress(stored, 9)),
        macs=count_macs(network, shape, frames),
    )


def count_macs(network: nn.Module, shape: StudentShape, frames: int) -> int:
    """Multiply-accumulates of one forward pass over one full window.

    By ``torch.utils.flop_counter``, which counts two operations for each, of matrix products and
    convolutions alone. Zeros are multiplied like any other number.
    """
    features = torch.zeros(1, shape.channels, shape.n_mels, frames)
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        network.eval()(features, torch.tensor([frames]))
    return counter.get_total_flops() // 2
