"""The network of ``tim-net``; see ``serbench_baselines.tim_net``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import StudentOutput, StudentShape
from serbench_baselines.networks.masked import frame_mask, mean_over_time, normalised, time_reversed

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from serbench_baselines.tim_net import TimNetParams


class CausalConv(nn.Conv1d):
    """A convolution over a frame and the frames before it; there are zeros before the start."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int) -> None:
        super().__init__(inputs, outputs, kernel, dilation=dilation)
        self.before = (kernel - 1) * dilation

    def forward(self, input: Float[Tensor, "N c frames"]) -> Float[Tensor, "N c2 frames"]:  # noqa: A002 - nn.Conv1d's name
        """Returns as many frames as the input has."""
        return super().forward(F.pad(input, (self.before, 0)))


class TemporalBlock(nn.Module):
    """Multiplies its input by a gate, which two causal convolutions compute for each filter and
    frame.
    """

    def __init__(self, params: TimNetParams, dilation: int) -> None:
        super().__init__()
        width = params.width
        self.convs = nn.ModuleList(
            CausalConv(width, width, params.kernel, dilation) for _ in range(2)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(2))
        self.dropout = nn.Dropout1d(params.dropout)

    def forward(
        self, x: Float[Tensor, "N c frames"], real: Bool[Tensor, "N frames"] | None
    ) -> Float[Tensor, "N c frames"]:
        """The gated map; for ``real``, see ``normalised``."""
        gate = x
        for conv, norm in zip(self.convs, self.norms, strict=True):
            gate = self.dropout(normalised(norm, conv(gate), real).relu())
        return x * gate.sigmoid()


class TimNetwork(nn.Module):
    """See ``serbench_baselines.tim_net``; made by ``TimNet.build``."""

    def __init__(self, params: TimNetParams, shape: StudentShape) -> None:
        super().__init__()
        inputs = shape.channels * shape.n_mels
        dilations = [2**n for n in range(params.blocks)]
        self.enter = nn.ModuleList(nn.Conv1d(inputs, params.width, 1) for _ in range(2))
        self.directions = nn.ModuleList(
            nn.ModuleList(TemporalBlock(params, d) for d in dilations) for _ in range(2)
        )
        self.weights = nn.Parameter(torch.full((params.blocks,), 1.0 / params.blocks))
        self.classify = nn.Linear(params.width, shape.num_classes)

    def forward(
        self, features: Float[Tensor, "N channels values frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``."""
        x = features.flatten(1, 2)  # (N, channels * values, frames)
        real = frame_mask(lengths, x.shape[-1])
        counted = real if self.training and not bool(real.all()) else None
        vectors = []
        back = time_reversed(x.transpose(1, 2), lengths).transpose(1, 2)
        for n, heard in enumerate((x, back)):
            passed = self.enter[n](heard)
            means = []
            for block in self.directions[n]:  # pyright: ignore[reportGeneralTypeIssues]
                passed = block(passed, counted)
                means.append(mean_over_time(passed, lengths))
            vectors.append(torch.stack(means, dim=-1))  # (N, width, blocks)
        embedding = (vectors[0] + vectors[1]) @ self.weights
        return StudentOutput(self.classify(embedding), embedding)
