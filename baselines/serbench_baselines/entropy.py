"""The `entropy` student: a small network over mean MFCC and their entropies. A reconstruction.

Mishra et al., 2024, of which only the abstract was read.

Published: the mean of each MFCC together with its spectral entropy (approximate entropy
optionally), and a deep neural network.

Not published, and decided here: 40 MFCC (25 ms, 10 ms) and an entropy of each over time, 80 values
(front end ``entropy-vector``), z-scored over the training partition; layers of 256 and 128 with
ReLU; dropout 0.3 after each; Adam at 1e-3, batches of 32, 100 epochs.
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


class EntropyParams(Params):
    """Sizes of the network."""

    hidden: tuple[PositiveInt, ...] = Field(default=(256, 128), min_length=1)
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)


class EntropyNetwork(nn.Module):
    """See the module docstring; made by ``Entropy.build``."""

    def __init__(self, params: EntropyParams, shape: StudentShape) -> None:
        super().__init__()
        inputs = (shape.channels * shape.n_mels, *params.hidden[:-1])
        self.layers = nn.ModuleList(
            nn.Linear(i, o) for i, o in zip(inputs, params.hidden, strict=True)
        )
        self.dropout = nn.Dropout(params.dropout)
        self.classify = nn.Linear(params.hidden[-1], shape.num_classes)

    def forward(
        self, features: Float[Tensor, "N channels d frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``; of several frames the mean is heard."""
        x = mean_over_time(features, lengths).flatten(1)
        for layer in self.layers:
            x = self.dropout(F.relu(layer(x)))
        return StudentOutput(self.classify(x), x)


class Entropy(Student):
    """MFCC means and entropies (Mishra et al., 2024), reconstructed."""

    name = "entropy"
    Params = EntropyParams
    params: EntropyParams
    reconstruction: ClassVar[bool] = True

    @property
    def hears(self) -> Hears:
        """One vector of an utterance."""
        return Hears("entropy-vector")

    def build(self, shape: StudentShape) -> nn.Module:
        """A fresh network for ``shape``."""
        return EntropyNetwork(self.params, shape)
