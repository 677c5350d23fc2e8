"""The student ``tiny-mlp``: one layer per frame, the mean over time, one layer more."""

from __future__ import annotations

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from serbench.api import Hears, Params, Student, StudentOutput, StudentShape


class TinyMlpParams(Params):
    """Its width."""

    width: PositiveInt = 16


class TinyMlp(Student):
    """A multi-layer perceptron on frames."""

    name = "tiny-mlp"
    Params = TinyMlpParams
    params: TinyMlpParams

    @property
    def hears(self) -> Hears:
        """A front end of its own."""
        return Hears("levels")

    def build(self, shape: StudentShape) -> nn.Module:
        """A fresh network."""
        return _Network(shape, self.params.width)


class _Network(nn.Module):
    def __init__(self, shape: StudentShape, width: int) -> None:
        super().__init__()
        self.frame = nn.Linear(shape.channels * shape.n_mels, width)
        self.classifier = nn.Linear(width, shape.num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
        mask = torch.arange(features.shape[3], device=features.device) < lengths[:, None]
        real = mask[:, :, None].to(features.dtype)  # (N, frames, 1)
        frames = features.flatten(1, 2).transpose(1, 2) * real  # (N, frames, channels * n_mels)
        hidden = torch.relu(self.frame(frames)) * real  # (N, frames, width)
        embedding = hidden.sum(dim=1) / real.sum(dim=1)  # (N, width)
        return StudentOutput(self.classifier(embedding), embedding)
