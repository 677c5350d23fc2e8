"""The backend that all others are compared with: PyTorch without conversion."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from serbench.api import (
    Backend,
    DeployedModel,
    Params,
    Predictor,
    WaveformPredictor,
)

if TYPE_CHECKING:
    from torch import Tensor, nn


class TorchParams(Params):
    """Precision and threads."""

    precision: Literal["fp32", "bf16"] = "fp32"
    """Precision. ``bf16``: autocast, which leaves normalisations and softmax in fp32; the front end
    is not included. A converted model also stores the weights of linear layers and convolutions in
    bf16. This halves its file and saves rounding them at each call.
    """
    threads: PositiveInt | None = None
    """Number of CPU threads within one operation; None: torch's current number."""


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
        from serbench_backends.torch_modules import ROUNDED, student_of
        from serbench_backends.torch_weights import save_weights

        module = model.module()
        if self.params.precision == "bf16":
            for layer in student_of(module).modules():
                if isinstance(layer, ROUNDED):
                    layer.weight.data = layer.weight.data.bfloat16()
        save_weights(module, folder)

    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:
        """See ``Backend``."""
        import torch

        from serbench_backends.torch_modules import Autocast, predictor_of, student_of
        from serbench_backends.torch_weights import load_weights

        torch.set_num_threads(threads)
        module = load_weights(model, folder)
        if self.params.precision == "bf16":
            module.student = Autocast(student_of(module))
        return predictor_of(module)

    def compile(self, student: nn.Module, features: Tensor, lengths: Tensor) -> Predictor:  # noqa: ARG002 - eager mode needs no example
        """A predictor on a copy of ``student`` in evaluation mode; the student stays as it was.

        The predictor runs where the student's weights are, and gives float32 logits.
        """
        import torch

        from serbench_backends.torch_modules import threads_of

        model = deepcopy(student).eval().requires_grad_(False)
        bf16 = self.params.precision == "bf16"

        def predict(features: Tensor, lengths: Tensor) -> Tensor:
            with (
                threads_of(self.params.threads),
                torch.inference_mode(),
                torch.autocast(features.device.type, torch.bfloat16, enabled=bf16),
            ):
                return model(features, lengths).logits.float()

        return predict
