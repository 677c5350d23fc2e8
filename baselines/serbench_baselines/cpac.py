"""The `cpac` student: capsules over MFCC, routed after self-attention (CTL-MTNet's CPAC).

Wen et al., "CTL-MTNet: A Novel CapsNet and Transfer Learning-Based Mixed Task Net for Single-Corpus
and Cross-Corpus Speech Emotion Recognition", IJCAI 2022; sizes are those of the authors' code.
Three convolutions treat the MFCC as an image. A fourth makes primary capsules, which pass through
self-attention and are then routed to six capsules. The loss is ``margin``.

The authors' batch normalisation is in inference mode even in training. So it is a scale and a shift
for each filter, as it is here. Self-attention has one learned number, the scale of its products;
the 321,480 parameters (7 classes) include it.

Routing begins with logits of zero. Between rounds, the sum of the votes is scaled to length 1, and
its products with the votes are the next logits. They are not added to the previous ones, unlike in
Sabour et al. (NeurIPS 2017). Only the last sum is squashed.

Not published, and decided here: the MFCC are TIM-Net's; gradients flow through all rounds; weights
have PyTorch's initial values. Inputs with fewer than 38 frames or values are filled with zeros,
because the convolutions would leave nothing of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from serbench.api import Hears, Params, Student, StudentShape
from serbench_baselines.tim_net import HEARD

if TYPE_CHECKING:
    from torch import nn


class CpacParams(Params):
    """Sizes of CPAC."""

    filters: PositiveInt = 64
    """Filters of each of the first three convolutions."""
    capsule: PositiveInt = 64
    """Number of values of a capsule."""
    capsules: PositiveInt = 6
    """Number of primary capsules at each position, and of capsules that they are routed to."""
    rounds: PositiveInt = 3
    """Number of rounds of routing."""
    conv_dropout: tuple[float, float, float] = (0.5, 0.25, 0.25)
    """Dropout after each of the first three convolutions."""
    dropout: float = Field(default=0.2, ge=0.0, lt=1.0)
    """Dropout before the classifier."""


class Cpac(Student):
    """CPAC (Wen et al., 2022)."""

    name = "cpac"
    Params = CpacParams
    params: CpacParams

    @property
    def hears(self) -> Hears:
        """The input of TIM-Net, because the authors' feature extraction is not published."""
        return Hears("mfcc", HEARD)

    def build(self, shape: StudentShape) -> nn.Module:
        """A new network for ``shape``."""
        from serbench_baselines.networks.cpac import CpacNetwork

        return CpacNetwork(self.params, shape)
