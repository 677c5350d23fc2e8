"""The network of the student ``placeholder``."""

from __future__ import annotations

import torch
from serbench.api import StudentOutput, StudentShape
from torch import Tensor, nn


class Network(nn.Module):
    """Computes logits from windows of frames."""

    def __init__(self, shape: StudentShape, width: int) -> None:
        super().__init__()
        values = shape.channels * shape.n_mels
        # TODO: put your layers in place of these, here and in forward.
        self.first = nn.Conv1d(values, width, kernel_size=5, padding=2)
        self.second = nn.Conv1d(width, width, kernel_size=5, padding=2)
        self.classify = nn.Linear(width, shape.num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
        """Compute logits ``(N, C)`` and an embedding ``(N, width)``.

        Args:
            features: ``(N, channels, n_mels, frames)``.
            lengths: ``(N,)``, the real frames of each window. The others are padding, which must
                not change the logits: every layer that uses neighbours gets zeros there.
        """
        frames = torch.arange(features.shape[3], device=features.device)
        real = (frames < lengths[:, None])[:, None].to(features.dtype)  # (N, 1, frames)
        values = features.flatten(1, 2) * real  # (N, channels * n_mels, frames)
        hidden = torch.relu(self.first(values)) * real  # (N, width, frames)
        hidden = torch.relu(self.second(hidden)) * real
        embedding = hidden.sum(dim=2) / real.sum(dim=2)  # (N, width)
        return StudentOutput(self.classify(embedding), embedding)
