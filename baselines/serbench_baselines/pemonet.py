"""The `pemonet` student: three parallel 2-D CNNs, one for each spectrogram. A reconstruction.

Bhangale and Kothandaraman, 2023: PEmoNet, the D-CNN of the paper's Table 3, of which only the
abstract was read.

Published: three arms of a 2-D CNN, on a multitaper mel, a gammatone and a constant-Q spectrogram.

Not published, and decided here: 3 s; 64 bands of each spectrogram, those of one after those of the
other in the values of a frame; each band has mean 0 and deviation 1 over the training partition; in
each arm 3 × 3 convolutions with 16, 32 and 64 filters, batch normalisation, ReLU, max-pool 2, and
the mean over bands and time; the three means end to end, dropout 0.3, one linear layer; Adam at
1e-3, batches of 32, 100 epochs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PositiveInt

from serbench.api import Hears, Params, Student, StudentShape

if TYPE_CHECKING:
    from torch import nn


class PemonetParams(Params):
    """Sizes of PEmoNet."""

    filters: tuple[PositiveInt, ...] = Field(default=(16, 32, 64), min_length=1)
    """Filters of the convolutions in each arm."""
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)


class Pemonet(Student):
    """PEmoNet (Bhangale and Kothandaraman, 2023), reconstructed."""

    name = "pemonet"
    Params = PemonetParams
    params: PemonetParams
    reconstruction: ClassVar[bool] = True

    @property
    def hears(self) -> Hears:
        """Three spectrograms of 64 bands."""
        return Hears("spectrograms")

    def build(self, shape: StudentShape) -> nn.Module:
        """A new network for ``shape``."""
        from serbench_baselines.networks.pemonet import PemonetNetwork

        return PemonetNetwork(self.params, shape)
