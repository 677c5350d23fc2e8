"""Networks of the PyTorch backend, and functions that run them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from serbench.api import PluginError, StudentOutput, WaveformPredictor, Waveforms

ROUNDED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""Layers that autocast computes in bf16 anyway, so that storing their weights in bf16
changes no result.
"""


def student_of(module: nn.Module) -> nn.Module:
    """The network within a deployed module. The rest of the module is the front end.

    Raises:
        PluginError: the module has no network.
    """
    student = getattr(module, "student", None)
    if not isinstance(student, nn.Module):
        raise PluginError("the deployed module has no submodule `student`")
    return student


class Autocast(nn.Module):
    """A network whose products and convolutions are computed in bf16."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
        """Output of the network, computed in bf16."""
        with torch.autocast(features.device.type, torch.bfloat16):
            return self.network(features, lengths)


def predictor_of(module: nn.Module) -> WaveformPredictor:
    """A predictor that gives a deployed module's posteriors for waveforms."""

    def predict(waveforms: Waveforms) -> NDArray[np.float32]:
        with torch.inference_mode():
            return module(torch.from_numpy(waveforms)).float().numpy()

    return predict


@contextmanager
def threads_of(count: int | None) -> Iterator[None]:
    """Run with ``count`` threads, and restore torch's own number afterwards."""
    before = torch.get_num_threads()
    if count is None or count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
