"""The `gm-tcnet` student: GM-TCNet, gated causal convolutions over MFCC, two scales in a block.

Ye et al., "GM-TCNet: Gated Multi-scale Temporal Convolutional Network using Emotion Causality for
Speech Emotion Recognition", Speech Communication 2022; sizes are those of a copy of the authors'
code. Seven blocks reach 1, 2, … 64 frames back and, in their second half, twice as far. Each block
adds something to its input; these additions are summed over all blocks and averaged over time.
There is neither normalisation nor dropout.

Not published, and decided here: weights have PyTorch's initial values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from serbench.api import Hears, Params, Student, StudentShape
from serbench_baselines.tim_net import HEARD

if TYPE_CHECKING:
    from torch import nn


class GmTcNetParams(Params):
    """Sizes of GM-TCNet."""

    width: PositiveInt = 39
    """Filters of each convolution."""
    blocks: int = Field(default=7, ge=1, le=16)
    pairs: PositiveInt = 3
    """Gated pairs of convolutions side by side."""
    kernel: int = Field(default=2, ge=2)
    """Taps of a convolution."""


class GmTcNet(Student):
    """GM-TCNet (Ye et al., 2022)."""

    name = "gm-tcnet"
    Params = GmTcNetParams
    params: GmTcNetParams

    @property
    def hears(self) -> Hears:
        """The input of TIM-Net: 96,000 samples on EmoDB."""
        return Hears("mfcc", HEARD)

    def build(self, shape: StudentShape) -> nn.Module:
        """A new network for ``shape``."""
        from serbench_baselines.networks.gm_tcnet import GmTcNetwork

        return GmTcNetwork(self.params, shape)
