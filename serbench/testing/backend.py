"""The contract of deployment backends."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn

from serbench.api import Backend, StudentOutput
from serbench.testing.common import make, require, require_finite, require_shape
from serbench.testing.student import windows


class ProbeStudent(nn.Module):
    """A very small student for checks: one masked convolution over time, mean pooling."""

    def __init__(self, num_classes: int = 4, n_mels: int = 40) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(3 * n_mels, 16, kernel_size=3, padding=1)
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(16, num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
        """From ``(N, 3, n_mels, frames)`` and ``(N,)`` to logits ``(N, C)`` and the rest."""
        mask = torch.arange(features.shape[3], device=features.device) < lengths[:, None]
        real = mask[:, None].to(features.dtype)  # (N, 1, frames)
        hidden = torch.relu(self.convolution(features.flatten(1, 2) * real)) * real
        embedding = self.dropout(hidden.sum(dim=2) / real.sum(dim=2))  # (N, 16)
        last_map = hidden[:, :, None]  # (N, 16, 1, frames)
        return StudentOutput(
            self.classifier(embedding), embedding, (last_map,), (mask,), last_map, mask
        )


def check_backend(
    cls: type, params: Mapping[str, object] | None = None, tolerance: float = 1e-4
) -> str | None:
    """Hold a backend plugin against its contract.

    Its predictor gives the logits of the student itself, in float32, without a gradient, the same
    each time, also for other batch sizes and lengths than those of the example; the student it was
    made from stays as it was.

    Args:
        cls: the plugin class.
        params: where its ``Params`` have no defaults, or to check others.
        tolerance: largest difference of a logit; give more for reduced precision.

    Returns:
        None when everything was checked; where the backend cannot run here, its reason.

    Raises:
        AssertionError: says what is broken.
    """
    backend: Backend = make(cls, params)
    reason = backend.unavailable()
    if reason is not None:
        require(isinstance(reason, str) and reason.strip(), "unavailable() must give a reason")
        return reason
    torch.manual_seed(0)
    student = ProbeStudent().train()
    before = deepcopy(student.state_dict())
    predict = backend.compile(student, *windows(2, 120))
    require(student.training, "compile must leave the student's mode as it was")
    for key, weight in student.state_dict().items():
        require(
            weight.dtype == before[key].dtype and torch.equal(weight, before[key]),
            f"compile must not change the student, but changed {key}",
        )
    student.eval()
    for count, frames in ((2, 120), (1, 120), (5, 300), (3, 30)):
        features, lengths = windows(count, frames, seed=count)
        with torch.no_grad():
            expected = student(features, lengths).logits
        _check_logits(predict(features, lengths), expected, tolerance, f"{count} × {frames} frames")
        require(
            torch.equal(predict(features, lengths), predict(features, lengths)),
            "the same input gives other logits each time",
        )
    return None


def _check_logits(logits: Tensor, expected: Tensor, tolerance: float, case: str) -> None:
    require_shape(logits, tuple(expected.shape), f"logits of {case}")
    require(logits.dtype == torch.float32, f"logits must be float32, not {logits.dtype}")
    require(not logits.requires_grad, "a predictor must not track gradients")
    require_finite(logits, f"logits of {case}")
    worst = float((logits.cpu() - expected).abs().max())
    require(
        worst <= tolerance,
        f"logits of {case} differ from the student's own by {worst:.1e}, more than {tolerance:g}",
    )
