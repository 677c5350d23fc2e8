"""The `cpac` student: capsules over MFCC, routed after self-attention (CTL-MTNet's CPAC).

Wen et al., "CTL-MTNet: A Novel CapsNet and Transfer Learning-Based Mixed Task Net for Single-Corpus
and Cross-Corpus Speech Emotion Recognition", IJCAI 2022; sizes after the authors' code. Three
convolutions see the MFCC as an image; a fourth makes primary capsules, whose self-attention
multiplies them before they are routed to six capsules. The loss is ``margin``.

The authors' batch normalisation runs in inference mode even in training: a scale and a shift for
each filter, as here. Self-attention has one learned number, the scale of its
products; only with it are there 321,480 parameters (7 classes).

Routing begins with logits of zero; between rounds, the sum of the votes has length 1 and its
products with the votes are the next logits, which are not added up as in Sabour et al. (NeurIPS
2017); only the last sum is squashed.

Not published, and decided here: the MFCC, which are TIM-Net's; gradients flow through all rounds;
weights start as PyTorch starts them. Whatever is shorter or narrower than 38 frames or values is
filled with zeros up to it, since the convolutions leave nothing of less.
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
    """Of each of the first three convolutions."""
    capsule: PositiveInt = 64
    """Values of a capsule."""
    capsules: PositiveInt = 6
    """Primary ones at each position, and those that they are routed to."""
    rounds: PositiveInt = 3
    """Of routing."""
    conv_dropout: tuple[float, float, float] = (0.5, 0.25, 0.25)
    """After each of the first three convolutions."""
    dropout: float = Field(default=0.2, ge=0.0, lt=1.0)
    """Before the classifier."""


class Cpac(Student):
    """CPAC (Wen et al., 2022)."""

    name = "cpac"
    Params = CpacParams
    params: CpacParams

    @property
    def hears(self) -> Hears:
        """As TIM-Net does; the authors' extraction is not published."""
        return Hears("mfcc", HEARD)

    def build(self, shape: StudentShape) -> nn.Module:
        """A fresh network for ``shape``."""
        from serbench_baselines.networks.cpac import CpacNetwork

        return CpacNetwork(self.params, shape)
