"""Sizes of a network whose sizes can be counted by hand."""

from __future__ import annotations

import zlib

import safetensors.torch
import torch
from torch import Tensor, nn

from serbench.api import StudentOutput, StudentShape
from serbench.studies.prune.size import size_of

SHAPE = StudentShape(5, 3, 8)


class Network(nn.Module):
    """A convolution that halves both axes, the mean, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 6, 3, stride=2, padding=1, groups=3, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.classify = nn.Linear(6, 5)

    def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
        x = self.norm(self.convolution(features))
        pooled = x.mean(dim=(2, 3))
        return StudentOutput(self.classify(pooled), pooled)


def test_a_network_counted_by_hand() -> None:
    network = Network().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    with torch.no_grad():
        network.norm.bias.fill_(1.0)
        network.classify.weight[:, :2] = 0.0
    size = size_of(network, SHAPE, frames=20)
    assert size.parameters == 6 * 9 + 6 + 6 + 6 * 5 + 5
    assert size.nonzero == size.parameters - 2 * 5
    assert size.macs == 6 * 9 * 4 * 10 + 6 * 5
    values = {n: v.contiguous() for n, v in network.state_dict().items()}
    assert size.file_bytes == len(safetensors.torch.save(values))
    assert 4 * size.parameters < size.file_bytes < 4 * size.parameters + 1500
    assert size.compressed_bytes == len(zlib.compress(safetensors.torch.save(values), 9))


def test_zeros_save_bytes_when_compressed_and_nothing_else() -> None:
    network = Network()
    whole = size_of(network, SHAPE, frames=20)
    with torch.no_grad():
        network.convolution.weight[:4] = 0.0
    zeros = size_of(network, SHAPE, frames=20)
    assert zeros.nonzero == whole.nonzero - 4 * 9
    assert zeros.compressed_bytes < whole.compressed_bytes
    assert (zeros.file_bytes, zeros.macs) == (whole.file_bytes, whole.macs)
