"""A student with the parts that the training loop knows by name, small enough for many tests."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from serbench.api import Params, Student, StudentOutput, StudentShape

WIDTH = 6


class ProbedStudent(Student):
    """Mean over real frames, two layers with dropout, ``embed``, ``classify``."""

    name = "probed"
    Params = Params

    def build(self, shape: StudentShape) -> nn.Module:
        return ProbedNetwork(shape)


class ProbedNetwork(nn.Module):
    def __init__(self, shape: StudentShape) -> None:
        super().__init__()
        self.lower = nn.Sequential(
            nn.Linear(shape.channels * shape.n_mels, WIDTH), nn.Tanh(), nn.Dropout(0.5)
        )
        self.upper = nn.Linear(WIDTH, WIDTH)
        self.embed = nn.BatchNorm1d(WIDTH, affine=False)
        self.classify = nn.Linear(WIDTH, shape.num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
        mask = torch.arange(features.shape[3])[None] < lengths[:, None]
        mean = (features * mask[:, None, None]).sum(dim=3) / lengths[:, None, None]
        embedding = self.embed(self.upper(self.lower(mean.flatten(1))))
        return StudentOutput(self.classify(embedding), embedding)


class UnprobedStudent(Student):
    """Has no ``classify``."""

    name = "unprobed"
    Params = Params

    def build(self, shape: StudentShape) -> nn.Module:
        network = ProbedNetwork(shape)
        network.head = network.classify
        network.classify = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
        network.embed = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
        return network
