"""The network of ``cnn-gru``; see ``serbench_baselines.cnn_gru``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import StudentOutput, StudentShape
from serbench_baselines.networks.masked import attended, by_length, halved, kept, time_reversed

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from serbench_baselines.cnn_gru import CnnGruParams


class InvertedBlock(nn.Module):
    """Pointwise, depthwise and pointwise convolution, in turn (Sandler et al., CVPR 2018)."""

    def __init__(self, inputs: int, widened: int, outputs: int, *, skip: bool) -> None:
        super().__init__()
        self.widen = nn.Conv2d(inputs, widened, 1)
        self.depthwise = nn.Conv2d(widened, widened, 3, padding=1, groups=widened)
        self.project = nn.Conv2d(widened, outputs, 1)
        self.skip = skip

    def forward(
        self, x: Float[Tensor, "N c bands frames"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N c2 bands frames"]:
        """A map of the same size, with arbitrary values on padding."""
        y = kept(F.relu(self.widen(x)), lengths)
        y = self.project(F.relu(self.depthwise(y)))
        return x + y if self.skip else y


class CnnGruNetwork(nn.Module):
    """See ``serbench_baselines.cnn_gru``; made by ``CnnGru.build``."""

    def __init__(self, params: CnnGruParams, shape: StudentShape) -> None:
        super().__init__()
        width = params.filters
        self.spare_bands = max(0, 3 - shape.n_mels)
        bands = (shape.n_mels + self.spare_bands - 1) // 2  # a step of 2 without padding
        self.first = nn.Conv2d(shape.channels, width // 2, 3, stride=2)
        self.enter = InvertedBlock(width // 2, width, width, skip=False)
        self.blocks = nn.ModuleList(
            InvertedBlock(width, 2 * width, width, skip=True) for _ in range(params.blocks)
        )
        self.cell = nn.GRU(width * ((bands + 1) // 2), params.hidden, batch_first=True)
        self.score = nn.Linear(2 * params.hidden, 1)
        self.sharpness = nn.Parameter(torch.ones(()))
        self.dense = nn.Linear(2 * params.hidden, params.dense)
        self.activation = nn.PReLU(params.dense)
        self.classify = nn.Linear(params.dense, shape.num_classes)

    def forward(
        self, features: Float[Tensor, "N channels mels frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``."""
        embed = partial(by_length, self._embed) if self.training else self._embed
        embedding = embed(features, lengths)
        return StudentOutput(self.classify(embedding), embedding)

    def _embed(
        self, features: Float[Tensor, "N channels mels frames"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N E"]:
        x, lengths = self._convolved(kept(features, lengths), lengths)
        x = self._both_ways(x.permute(0, 3, 1, 2).flatten(2), lengths)
        scores = self.sharpness * self.score(x)[..., 0].sigmoid()
        return self.activation(self.dense(attended(x, scores, lengths)))

    def _convolved(
        self, x: Float[Tensor, "N channels mels frames"], lengths: Int[Tensor, " N"]
    ) -> tuple[Float[Tensor, "N c bands frames4"], Int[Tensor, " N"]]:
        """Apply all convolutions; returns the map and its numbers of real frames.

        Two zero frames at the end let the first convolution begin at the last frame, too. Frames
        that need them count as padding.
        """
        x = F.relu(self.first(F.pad(x, (0, 2, 0, self.spare_bands))))
        lengths = torch.div(lengths - 1, 2, rounding_mode="floor").clamp_min(1)
        x = self.enter(kept(x, lengths), lengths)
        lowest = torch.finfo(x.dtype).min
        padding = kept(torch.ones_like(x[:, :1]), lengths) == 0.0
        x = F.max_pool2d(x.masked_fill(padding, lowest), 3, stride=2, padding=1)
        lengths = halved(lengths)
        x = kept(x, lengths)
        for block in self.blocks:
            x = block(x, lengths)
        return x, lengths

    def _both_ways(
        self, x: Float[Tensor, "N frames d"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N frames both"]:
        """Run the same cell from the first frame to the last real one, and in reverse."""
        count = x.shape[0]
        states, _ = self.cell(torch.cat([x, time_reversed(x, lengths)]))
        return torch.cat([states[:count], time_reversed(states[count:], lengths)], dim=2)
