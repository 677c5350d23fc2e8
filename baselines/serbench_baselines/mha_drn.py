"""The `mha-drn` student: dilated residual convolutions, then self-attention. A reconstruction.

Li et al., "Dilated residual network with multi-head self-attention for speech emotion
recognition", ICASSP 2019, of which only the abstract was read: it gives the order of the parts.
5.6 M parameters: 5,604,068 with four classes.

The residual network is that of another paper's code (santi-pdp/pase), which is said to follow this
paper: a convolution over 10 frames; one over 2 frames with step 2 and two residual blocks; the same
again; then, instead of further steps, dilations of 2 and 4 in two blocks each.

Not published, and decided here: one-dimensional convolutions over 40 log-mels (25 ms, 10 ms,
16 kHz, standardised); ReLU after each; four heads with a skip around them; mean over time; dropout
0.3; Adam at 1e-4, batches of 32, 100 epochs. Padding is zero before every convolution. It has no
weight in the attention and does not count in the statistics of batch normalisation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PositiveInt

from serbench.api import Hears, Params, Student, StudentShape

if TYPE_CHECKING:
    from torch import nn


class MhaDrnParams(Params):
    """Settings of MHA+DRN; the convolutions are fixed."""

    heads: PositiveInt = Field(default=4, multiple_of=2, le=64)
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)


class MhaDrn(Student):
    """MHA+DRN (Li et al., 2019), reconstructed."""

    name = "mha-drn"
    Params = MhaDrnParams
    params: MhaDrnParams
    reconstruction: ClassVar[bool] = True

    @property
    def hears(self) -> Hears:
        """40 log-mels without Δ and ΔΔ."""
        return Hears("log-mel", {"deltas": False})

    def build(self, shape: StudentShape) -> nn.Module:
        """A new network for ``shape``."""
        from serbench_baselines.networks.mha_drn import MhaDrnNetwork

        return MhaDrnNetwork(self.params, shape)
