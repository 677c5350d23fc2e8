"""The backend that every other is measured against: PyTorch as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PositiveInt
from torch import Tensor, nn

from serbench.api import (
    Backend,
    DeployedModel,
    Params,
    PluginError,
    Predictor,
    StudentOutput,
    WaveformPredictor,
    Waveforms,
)
from serbench_backends.torch_weights import load_weights, save_weights

ROUNDED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""Layers that autocast computes in bf16 anyway: keeping their weights so changes no result."""


class TorchParams(Params):
    """How the student is run."""

    precision: Literal["fp32", "bf16"] = "fp32"
    """``bf16``: autocast, which leaves normalisations and softmax in fp32, and the front end is
    outside of it. A converted model also keeps the weights of linear layers and convolutions so,
    which halves its file and saves rounding them at each call."""
    threads: PositiveInt | None = None
    """CPU threads within one operation; None: as many as torch has been given."""


class TorchBackend(Backend):
    """PyTorch in eager mode, without gradients."""

    name = "torch"
    Params = TorchParams
    params: TorchParams

    @property
    def precision(self) -> str:
        """See ``Backend``."""
        return self.params.precision

    def convert(self, model: DeployedModel, folder: Path) -> None:
        """See ``Backend``."""
        module = model.module()
        if self.params.precision == "bf16":
            for layer in student_of(module).modules():
                if isinstance(layer, ROUNDED):
                    layer.weight.data = layer.weight.data.bfloat16()
        save_weights(module, folder)

    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:
        """See ``Backend``."""
        torch.set_num_threads(threads)
        module = load_weights(model, folder)
        if self.params.precision == "bf16":
            module.student = Autocast(student_of(module))
        return predictor_of(module)

    def compile(self, student: nn.Module, features: Tensor, lengths: Tensor) -> Predictor:  # noqa: ARG002 - eager mode needs no example
        """A predictor on a copy of ``student`` in evaluation mode; the student stays as it was.

        The predictor runs where the student's weights are, and gives float32 logits.
        """
        model = deepcopy(student).eval().requires_grad_(False)
        bf16 = self.params.precision == "bf16"

        def predict(features: Tensor, lengths: Tensor) -> Tensor:
            with (
                _threads(self.params.threads),
                torch.inference_mode(),
                torch.autocast(features.device.type, torch.bfloat16, enabled=bf16),
            ):
                return model(features, lengths).logits.float()

        return predict


def student_of(module: nn.Module) -> nn.Module:
    """The network within a deployed module; what is around it is the front end.

    Raises:
        PluginError: it has none.
    """
    student = getattr(module, "student", None)
    if not isinstance(student, nn.Module):
        raise PluginError("the deployed module keeps no network as its submodule `student`")
    return student


class Autocast(nn.Module):
    """A network whose products and convolutions are computed in bf16."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
        """As the network's own."""
        with torch.autocast(features.device.type, torch.bfloat16):
            return self.network(features, lengths)


def predictor_of(module: nn.Module) -> WaveformPredictor:
    """A predictor of waveforms by a deployed module."""

    def predict(waveforms: Waveforms) -> NDArray[np.float32]:
        with torch.inference_mode():
            return module(torch.from_numpy(waveforms)).float().numpy()

    return predict


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Run with ``count`` threads, and give torch its own number back afterwards."""
    before = torch.get_num_threads()
    if count is None or count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
