"""The `mf-cnn` student: a one-dimensional CNN over an acoustic vector. A reconstruction.

Bhangale and Kothandaraman, "Speech emotion recognition based on multiple acoustic features and
deep convolutional neural network", Electronics 12(4), 2023, of which only the abstract was read.

Published: one vector of many acoustic features of an utterance, and a 1-D CNN.

Not published, and decided here: what the vector holds is told by the front end
``acoustic-vector``; each value is z-scored over the training partition; convolutions of 3 with 64,
128 and 256 filters along the vector, batch normalisation, ReLU, max-pool 2 after each; dropout 0.3;
one linear layer on all that is left; Adam at 1e-3, 100 epochs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import Hears, Params, Student, StudentOutput, StudentShape
from serbench_baselines.masked import mean_over_time

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class MfCnnParams(Params):
    """Sizes of MF-CNN."""

    filters: tuple[PositiveInt, ...] = Field(default=(64, 128, 256), min_length=1)
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)


class MfCnnNetwork(nn.Module):
    """See the module docstring; made by ``MfCnn.build``."""

    def __init__(self, params: MfCnnParams, shape: StudentShape) -> None:
        super().__init__()
        inputs = (1, *params.filters[:-1])
        self.convs = nn.ModuleList(
            nn.Conv1d(i, o, 3, padding=1) for i, o in zip(inputs, params.filters, strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(count) for count in params.filters)
        left = shape.channels * shape.n_mels
        for _ in params.filters:
            left = (left + 1) // 2
        self.dropout = nn.Dropout(params.dropout)
        self.classify = nn.Linear(params.filters[-1] * left, shape.num_classes)

    def forward(
        self, features: Float[Tensor, "N channels d frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``; of several frames the mean is heard."""
        x = mean_over_time(features, lengths).flatten(1)[:, None]  # (N, 1, channels * d)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.max_pool1d(F.relu(norm(conv(x))), 2, ceil_mode=True)
        embedding = x.flatten(1)
        return StudentOutput(self.classify(self.dropout(embedding)), embedding)


class MfCnn(Student):
    """MF-CNN (Bhangale and Kothandaraman, 2023), reconstructed."""

    name = "mf-cnn"
    Params = MfCnnParams
    params: MfCnnParams
    reconstruction: ClassVar[bool] = True

    @property
    def hears(self) -> Hears:
        """One vector of an utterance."""
        return Hears("acoustic-vector")

    def build(self, shape: StudentShape) -> nn.Module:
        """A fresh network for ``shape``."""
        return MfCnnNetwork(self.params, shape)
