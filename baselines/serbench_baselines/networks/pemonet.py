"""The network of ``pemonet``; see ``serbench_baselines.pemonet``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import StudentOutput, StudentShape
from serbench_baselines.networks.masked import MaskedNorm, halved, kept, mean_over_time

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from serbench_baselines.pemonet import PemonetParams

ARMS = 3


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
        """The mean over bands and real frames; padding in ``x`` is 0."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = kept(F.relu(norm(conv(x), lengths)), lengths)
            x = F.max_pool2d(x, 2, ceil_mode=True)  # values ≥ 0: padding never exceeds them
            lengths = halved(lengths)
        return mean_over_time(x, lengths).mean(dim=2)


class PemonetNetwork(nn.Module):
    """See ``serbench_baselines.pemonet``; made by ``Pemonet.build``."""

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
        """See ``Student.build``; a third of a frame's values belongs to each spectrogram."""
        parts = kept(features, lengths).split(self.bands, dim=2)
        means = [arm(part, lengths) for arm, part in zip(self.arms, parts, strict=True)]
        embedding = torch.cat(means, dim=1)
        return StudentOutput(self.classify(self.dropout(embedding)), embedding)
