"""The `mf-cnn` student: a one-dimensional CNN over an acoustic vector. A reconstruction.

Bhangale and Kothandaraman, "Speech emotion recognition based on multiple acoustic features and
deep convolutional neural network", Electronics 12(4), 2023, of which only the abstract was read.

Published: one vector of many acoustic features of an utterance, and a 1-D CNN.

Not published, and decided here: the contents of the vector, as the front end ``acoustic-vector``
describes them; each value is z-scored over the training partition; convolutions of 3 with 64, 128
and 256 filters along the vector, batch normalisation, ReLU, max-pool 2 after each; dropout 0.3; one
linear layer on the whole result; Adam at 1e-3, 100 epochs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PositiveInt

from serbench.api import Hears, Params, Student, StudentShape

if TYPE_CHECKING:
    from torch import nn


class MfCnnParams(Params):
    """Sizes of MF-CNN."""

    filters: tuple[PositiveInt, ...] = Field(default=(64, 128, 256), min_length=1)
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)


class MfCnn(Student):
    """MF-CNN (Bhangale and Kothandaraman, 2023), reconstructed."""

    name = "mf-cnn"
    Params = MfCnnParams
    params: MfCnnParams
    reconstruction: ClassVar[bool] = True

    @property
    def hears(self) -> Hears:
        """One vector for each utterance."""
        return Hears("acoustic-vector")

    def build(self, shape: StudentShape) -> nn.Module:
        """A new network for ``shape``."""
        from serbench_baselines.networks.mf_cnn import MfCnnNetwork

        return MfCnnNetwork(self.params, shape)
