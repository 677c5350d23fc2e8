"""The size of a network: parameters, bytes of its weights, multiplications."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import safetensors.torch
import torch
from torch import nn

from serbench.api import StudentShape
from serbench.learning.arithmetic import count_flops, count_parameters


@dataclass(frozen=True, slots=True)
class Size:
    """A network's size.

    Attributes:
        parameters: number of trained numbers.
        nonzero: number of them that are not 0.
        file_bytes: size of a safetensors file of all weights and statistics, float32.
        compressed_bytes: size of the same file compressed by zlib at its highest level.
        macs: number of multiply-accumulates of matrix products and convolutions for one window.
    """

    parameters: int
    nonzero: int
    file_bytes: int
    compressed_bytes: int
    macs: int


def size_of(network: nn.Module, shape: StudentShape, frames: int) -> Size:
    """The size of ``network``, which must be on the CPU, for windows of ``frames`` frames."""
    parameters, nonzero = count_parameters(network)
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    window = torch.zeros(1, shape.channels, shape.n_mels, frames)
    stored = safetensors.torch.save(state)
    return Size(
        parameters=parameters,
        nonzero=nonzero,
        file_bytes=len(stored),
        compressed_bytes=len(zlib.compress(stored, 9)),
        macs=count_flops(network.eval(), window, torch.tensor([frames])) // 2,
    )
