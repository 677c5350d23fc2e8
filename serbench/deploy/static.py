"""What a student is before any runtime: its arithmetic and its parameters."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from serbench.api import SAMPLE_RATE_HZ
from serbench.deploy.models import FoldModel
from serbench.export.frontend import FrontEnd
from serbench.windows import WindowPlan


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Of a student on 3 s of audio, or as long as a window of the table is.

    Attributes:
        flops: of matrix products and convolutions, a multiplication and an addition each
            counting; so twice the multiply-accumulates.
        front_end_flops: of the exported front end, on top.
        parameters: how many.
        nonzero: of them, not 0.
    """

    flops: int
    front_end_flops: int
    parameters: int
    nonzero: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the student."""
        return self.flops // 2

    @property
    def front_end_macs(self) -> int:
        """Multiply-accumulates of the front end."""
        return self.front_end_flops // 2


def count_arithmetic(model: FoldModel, length_s: float) -> Arithmetic:
    """Of the student of a fold on so many seconds of audio.

    Raises:
        StoreError: its weights are damaged or do not fit its code.
        RegistryError: a front end or windows that cannot be exported.
    """
    student = model.student
    settings = student.candidate.settings
    plan = WindowPlan(settings.features, settings.segments)
    samples = round(length_s * SAMPLE_RATE_HZ)
    windows = len(plan.first_frames(samples))
    frames = min(plan.size, 1 + samples // plan.hop)
    network = student.module.eval()
    x = torch.zeros(windows, student.shape.channels, student.shape.n_mels, frames)
    lengths = torch.full((windows,), frames)
    weights = list(network.parameters())
    return Arithmetic(
        flops=count_flops(network, x, lengths),
        front_end_flops=count_flops(FrontEnd(settings.features), torch.zeros(1, samples)),
        parameters=sum(each.numel() for each in weights),
        nonzero=sum(int(torch.count_nonzero(each)) for each in weights),
    )


def count_flops(module: nn.Module, *inputs: Tensor) -> int:
    """FLOPs of matrix products and convolutions in one call."""
    counter = FlopCounterMode(display=False)
    with _counted(), torch.no_grad(), counter:
        module(*inputs)
    return int(counter.get_total_flops())


@contextmanager
def _counted() -> Iterator[None]:
    """Without fused operations, whose insides the counter does not see."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings(), sdpa_kernel(SDPBackend.MATH):
            warnings.simplefilter("ignore")  # of TF32, which setting any flag of oneDNN touches
            with torch.backends.mkldnn.flags(enabled=False):  # pyright: ignore[reportAttributeAccessIssue]
                yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
