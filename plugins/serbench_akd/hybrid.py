"""The `hybrid` student: convolutional stem, factorised space-time attention, decoder with skips.

It follows section 3.3 of Khan et al. (2026). The sizes, and everything that the paper leaves open,
are our own choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt, model_validator

from serbench.api import Params, Student, StudentShape

if TYPE_CHECKING:
    from torch import nn

DECODER_GROUPS = 4


class HybridParams(Params):
    """Sizes of the hybrid student."""

    stem_channels: tuple[PositiveInt, ...] = Field(default=(16, 32, 64), min_length=2)
    """Channels of the stem's stages; each halves both frequency and time."""
    residual_convolutions: int = Field(default=1, ge=0)
    """Convolutions with a skip connection after each stage but the first."""
    convolutions: bool = True
    """Whether there is a convolutional stem. False: a single patch embedding replaces it (row 7 of
    the paper's Table 4).
    """
    skips: bool = True
    """Whether there are skip connections from encoder to decoder."""
    blocks: PositiveInt = 2
    time_blocks: int = Field(default=0, ge=0)
    """Number of blocks over time only, on the fused frame vectors, for which attention
    costs least.
    """
    heads: PositiveInt = 4
    expansion: PositiveInt = 2
    fused_dim: int = Field(default=128, gt=0, multiple_of=DECODER_GROUPS)
    """Width of the fused frame vector (section 4.3 of the paper) and of the decoder."""
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    block_dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Probability that a block is skipped for a window in training (Huang et al., ECCV 2016)."""
    classifier_dropout: float = Field(default=0.3, ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> HybridParams:
        if self.stem_channels[-1] % self.heads:
            msg = f"the last of stem_channels must be a multiple of heads ({self.heads})"
            raise ValueError(msg)
        return self


class Hybrid(Student):
    """The paper's hybrid transformer student."""

    name = "hybrid"
    Params = HybridParams
    params: HybridParams

    def build(self, shape: StudentShape) -> nn.Module:
        """A new network for ``shape``, with random weights."""
        from serbench_akd.networks.hybrid import HybridNetwork

        return HybridNetwork(self.params, shape)
