"""The `pemonet` student: three 2-D CNNs side by side, one for each spectrogram. A reconstruction.

Bhangale and Kothandaraman, 2023: PEmoNet, the D-CNN of the paper's Table 3, of which only the
abstract was read.

Published: three arms of a 2-D CNN, on a multitaper mel, a gammatone and a constant-Q spectrogram.

Not published, and decided here: 64 bands of each, one above the other in the values of a frame, 3
s; each has mean 0 and deviation 1 over the training partition; in each arm 3 × 3 convolutions of
16, 32 and 64, batch normalisation, ReLU, max-pool 2, and the mean over bands and time; the three
means together, dropout 0.3, one linear layer; Adam at 1e-3, batches of 32, 100 epochs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import Hears, Params, Student, StudentOutput, StudentShape
from serbench_baselines.masked import MaskedNorm, halved, kept, mean_over_time

if TYPE_CHECKING:
    from jaxtyping import Float, Int

ARMS = 3


class PemonetParams(Params):
    """Sizes of PEmoNet."""

    filters: tuple[PositiveInt, ...] = Field(default=(16, 32, 64), min_length=1)
    """Of each arm."""
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)


class Arm(nn.Module):
    """A 2-D CNN over one spectrogram."""

    def __init__(self, channels: int, filters: tuple[int, ...]) -> None:
        super().__init__()
        inputs = (channels, *filters[:-1])
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, 3, padding=1) for i, o in zip(inputs, filters, strict=True)
        )
        self.norms = nn.ModuleList(MaskedNorm(count) for count in filters)

    def forward(
        self, x: Float[Tensor, "N channels bands frames"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N filters"]:
        """0 on padding in; the mean over bands and real frames out."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = kept(F.relu(norm(conv(x), lengths)), lengths)
            x = F.max_pool2d(x, 2, ceil_mode=True)  # of values from 0 up: padding is never larger
            lengths = halved(lengths)
        return mean_over_time(x, lengths).mean(dim=2)


class PemonetNetwork(nn.Module):
    """See the module docstring; made by ``Pemonet.build``."""

    def __init__(self, params: PemonetParams, shape: StudentShape) -> None:
        super().__init__()
        third, left = divmod(shape.n_mels, ARMS)
        self.bands = [third + (arm < left) for arm in range(ARMS)]
        self.arms = nn.ModuleList(Arm(shape.channels, params.filters) for _ in range(ARMS))
        self.dropout = nn.Dropout(params.dropout)
        self.classify = nn.Linear(ARMS * params.filters[-1], shape.num_classes)

    def forward(
        self, features: Float[Tensor, "N channels bands frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``; the values of a frame are three spectrograms, a third each."""
        parts = kept(features, lengths).split(self.bands, dim=2)
        means = [arm(part, lengths) for arm, part in zip(self.arms, parts, strict=True)]
        embedding = torch.cat(means, dim=1)
        return StudentOutput(self.classify(self.dropout(embedding)), embedding)


class Pemonet(Student):
    """PEmoNet (Bhangale and Kothandaraman, 2023), reconstructed."""

    name = "pemonet"
    Params = PemonetParams
    params: PemonetParams
    reconstruction: ClassVar[bool] = True

    @property
    def hears(self) -> Hears:
        """Three spectrograms of 64 bands."""
        return Hears("spectrograms")

    def build(self, shape: StudentShape) -> nn.Module:
        """A fresh network for ``shape``."""
        return PemonetNetwork(self.params, shape)
