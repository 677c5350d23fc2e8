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

from serbench.api import Hears, Params, Student, StudentShape

if TYPE_CHECKING:
    from torch import nn


class EntropyParams(Params):
    """Sizes of the network."""

    hidden: tuple[PositiveInt, ...] = Field(default=(256, 128), min_length=1)
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)


class Entropy(Student):
    """MFCC means and entropies (Mishra et al., 2024), reconstructed."""

    name = "entropy"
    Params = EntropyParams
    params: EntropyParams
    reconstruction: ClassVar[bool] = True

    @property
    def hears(self) -> Hears:
        """One vector for each utterance."""
        return Hears("entropy-vector")

    def build(self, shape: StudentShape) -> nn.Module:
        """A new network for ``shape``."""
        from serbench_baselines.networks.entropy import EntropyNetwork

        return EntropyNetwork(self.params, shape)
