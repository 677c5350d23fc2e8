"""The `tim-net` student: TIM-Net, gated causal convolutions over MFCC in both directions.

Ye et al., "Temporal Modeling Matters: A Novel Temporal Emotional Modeling Approach for Speech
Emotion Recognition", ICASSP 2023; sizes after the authors' code. An utterance and its time
reversal each go through eight blocks, whose reach into the past doubles from block to block; what
the two say after each block is added, averaged over time and weighed by one learned number.

The authors resample from a corpus's own rate; here everything is heard at 16 kHz first, so that the
bands above 8 kHz are empty.

Not published, and decided here: the eight numbers start alike, at 1/8; other weights, and the
constants of batch normalisation, are those that PyTorch starts with. Padding is neither reversed
with the utterance nor counted in means and statistics.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import Hears, Params, Student, StudentOutput, StudentShape
from serbench_baselines.masked import frame_mask, mean_over_time, normalised, time_reversed

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

SAMPLES, RATE_HZ = 96_000, 22_050
HEARD: Mapping[str, object] = MappingProxyType(
    {
        "rate_hz": RATE_HZ,
        "length_s": SAMPLES / RATE_HZ,
        "window": 2048,
        "hop": 512,
        "n_fft": 2048,
        "n_mels": 128,
        "coefficients": 39,
        "normalise": "none",
    }
)
"""39 MFCC as librosa computes them, of 4.35 s: 188 frames. The authors' length on EmoDB; they take
110,000 samples on RAVDESS and 310,000 on IEMOCAP (``front_end.length_s`` 4.9887 and 14.059)."""


class TimNetParams(Params):
    """Sizes of TIM-Net."""

    width: PositiveInt = 39
    """Filters of each convolution."""
    blocks: int = Field(default=8, ge=1, le=16)
    """The authors take 8, and 10 on IEMOCAP."""
    kernel: int = Field(default=2, ge=2)
    """Taps of a convolution."""
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Of whole filters."""


class CausalConv(nn.Conv1d):
    """A convolution that hears a frame and frames before it: nothing, hence zeros, at the start."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int) -> None:
        super().__init__(inputs, outputs, kernel, dilation=dilation)
        self.before = (kernel - 1) * dilation

    def forward(self, input: Float[Tensor, "N c frames"]) -> Float[Tensor, "N c2 frames"]:  # noqa: A002 - nn.Conv1d's name
        """As many frames as it is given."""
        return super().forward(F.pad(input, (self.before, 0)))


class TemporalBlock(nn.Module):
    """Two causal convolutions decide, filter by filter and frame by frame, what passes."""

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
        """``real`` is as ``normalised`` takes it."""
        gate = x
        for conv, norm in zip(self.convs, self.norms, strict=True):
            gate = self.dropout(normalised(norm, conv(gate), real).relu())
        return x * gate.sigmoid()


class TimNetwork(nn.Module):
    """See the module docstring; made by ``TimNet.build``."""

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


class TimNet(Student):
    """TIM-Net (Ye et al., 2023)."""

    name = "tim-net"
    Params = TimNetParams
    params: TimNetParams

    @property
    def hears(self) -> Hears:
        """39 MFCC at 22,050 Hz, as they are: no mean or deviation is taken off."""
        return Hears("mfcc", HEARD)

    def build(self, shape: StudentShape) -> nn.Module:
        """A fresh network for ``shape``."""
        return TimNetwork(self.params, shape)
