"""A student's arithmetic and parameters, which do not depend on a runtime."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from serbench.api import SAMPLE_RATE_HZ
from serbench.device.windows import WindowPlan
from serbench.learning.arithmetic import count_flops, count_parameters
from serbench.studies.deploy.models import FoldModel


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Operations and parameters of a student on one window of the table, for instance 3 s of audio.

    Attributes:
        flops: operations of matrix products and convolutions. Multiplications and additions count
            separately, so this is twice the multiply-accumulates.
        front_end_flops: operations of the exported front end, which are not part of ``flops``.
        parameters: number of parameters.
        nonzero: number of parameters that are not 0.
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
    """Count the arithmetic of a fold's student on ``length_s`` seconds of audio.

    Raises:
        StoreError: its weights are damaged or do not fit its code.
        RegistryError: a front end or windows that cannot be exported.
    """
    student = model.student
    candidate = student.candidate
    plan = WindowPlan(candidate.front_end.framing, candidate.settings.segments)
    samples = round(length_s * SAMPLE_RATE_HZ)
    windows = len(plan.first_frames(samples))
    frames = min(plan.size, plan.frames(samples))
    network = student.module.eval()
    x = torch.zeros(windows, student.shape.channels, student.shape.n_mels, frames)
    lengths = torch.full((windows,), frames)
    parameters, nonzero = count_parameters(network)
    return Arithmetic(
        flops=count_flops(network, x, lengths),
        front_end_flops=count_flops(candidate.front_end.exported(), torch.zeros(1, samples)),
        parameters=parameters,
        nonzero=nonzero,
    )
