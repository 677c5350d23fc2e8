"""The `transformer` student: a plain transformer encoder over log-mel frames.

The "vanilla transformer" baseline of Khan et al. (2026): the hybrid's input, a linear embedding
of patches of frames, a standard pre-norm encoder (Vaswani et al., NeurIPS 2017), mean pooling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt, model_validator

from serbench.api import Params, Student, StudentShape

if TYPE_CHECKING:
    from torch import nn


class TransformerParams(Params):
    """Sizes of the plain transformer."""

    dim: PositiveInt = 128
    layers: PositiveInt = 4
    heads: PositiveInt = 4
    expansion: PositiveInt = 4
    patch_frames: PositiveInt = 4
    """Frames in one token; 4 frames are 40 ms."""
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> TransformerParams:
        if self.dim % self.heads:
            msg = f"dim must be a multiple of heads ({self.heads})"
            raise ValueError(msg)
        return self


class Transformer(Student):
    """The plain transformer."""

    name = "transformer"
    Params = TransformerParams
    params: TransformerParams

    def build(self, shape: StudentShape) -> nn.Module:
        """A new network for ``shape``."""
        from serbench_baselines.networks.transformer import TransformerNetwork

        return TransformerNetwork(self.params, shape)
