"""The backend that every other is measured against: PyTorch as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Literal

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from serbench.api import Backend, Params, Predictor


class TorchParams(Params):
    """How the student is run."""

    precision: Literal["fp32", "bf16"] = "fp32"
    """``bf16``: autocast, which leaves normalisations and softmax in fp32."""
    threads: PositiveInt | None = None
    """CPU threads within one operation; None: as many as torch has been given."""


class TorchBackend(Backend):
    """PyTorch in eager mode, without gradients."""

    name = "torch"
    Params = TorchParams
    params: TorchParams

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
