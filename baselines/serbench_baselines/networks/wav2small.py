"""The network of ``wav2small``; see ``serbench_baselines.wav2small``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import StudentOutput, StudentShape
from serbench_baselines.networks.masked import MaskedNorm, frame_mask, halved, kept, shortened

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from serbench_baselines.wav2small import Wav2SmallParams


class Convolution(nn.Module):
    """3 × 3 convolution, batch normalisation, ReLU; padding is 0 in the input and in the output."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = MaskedNorm(outputs)

    def forward(
        self, x: Float[Tensor, "N c bands frames"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N c2 bands frames"]:
        """A map of the same size."""
        return kept(F.relu(self.norm(self.conv(x), lengths)), lengths)


class Wav2SmallNetwork(nn.Module):
    """See ``serbench_baselines.wav2small``; made by ``Wav2Small.build``."""

    def __init__(self, params: Wav2SmallParams, shape: StudentShape) -> None:
        super().__init__()
        width = params.filters
        inputs = [shape.channels] + [width] * (params.before - 1)
        self.before = nn.ModuleList(Convolution(count, width) for count in inputs)
        self.after = nn.ModuleList(Convolution(width, width) for _ in range(params.after))
        self.value = nn.Conv2d(width, width, 1)
        self.score = nn.Conv2d(width, width, 1)
        bands = (shape.n_mels + 1) // 2
        self.classify = nn.Linear(width * (bands + width), shape.num_classes)

    def forward(
        self, features: Float[Tensor, "N channels mels frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``."""
        if self.training:
            features = shortened(features, lengths)
        x = kept(features, lengths)
        for convolution in self.before:
            x = convolution(x, lengths)
        x = F.max_pool2d(x, 3, stride=2, padding=1)  # values ≥ 0: padding never exceeds them
        lengths = halved(lengths)
        x = kept(x, lengths)
        for convolution in self.after:
            x = convolution(x, lengths)
        padding = ~frame_mask(lengths, x.shape[3])[:, None, None, :]
        weights = self.score(x).float().masked_fill(padding, float("-inf")).softmax(dim=3)
        pooled = (weights * self.value(x)).sum(dim=3)  # (N, filters, bands)
        gram = pooled @ pooled.transpose(1, 2)
        embedding = torch.cat([pooled.flatten(1), gram.flatten(1)], dim=1)
        return StudentOutput(self.classify(embedding), embedding)
