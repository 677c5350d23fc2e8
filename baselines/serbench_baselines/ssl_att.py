"""``ssl-att``: a frozen encoder with attentive correlation pooling.

Kakouros et al., "Speech-based emotion recognition with self-supervised models using attentive
channel-wise correlations and label smoothing" (ICASSP 2023): a learned weight for each layer,
linear 256, dropout of whole channels, attention over time with several heads, and the correlations
of all pairs of channels with these attention weights, which one linear layer classifies.

Published: HuBERT-large, Adam at 1e-4, 8 batches of 4 for each update, gradients clipped at norm 1.
Decided here: label smoothing 0.1, because the title has it, although the authors' code does not;
100 epochs instead of 30,000 steps, and the last epoch instead of the best on a fifth of the
training utterances; padding has no weight (in the authors' code it has some).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from serbench.api import StudentShape
from serbench_baselines.frozen import Frozen, FrozenParams

if TYPE_CHECKING:
    from torch import nn


class SslAttParams(FrozenParams):
    """The encoder, and the sizes of the head."""

    model: str = Field(default="facebook/hubert-large-ll60k", min_length=1)
    heads: PositiveInt = 4
    """Heads of the attention; the log of their summed exponentials is one score for each frame."""
    dropout: float = Field(default=0.25, ge=0.0, lt=1.0)
    """Dropout of whole channels."""


class SslAtt(Frozen):
    """Attentive correlation pooling on a frozen encoder."""

    name = "ssl-att"
    Params = SslAttParams
    params: SslAttParams  # pyright: ignore[reportIncompatibleVariableOverride]

    def build(self, shape: StudentShape) -> nn.Module:
        """A new head; see ``Student`` and ``Frozen.depth``."""
        from serbench_baselines.networks.ssl_att import CorrelationHead

        depth = self.depth(shape)
        return CorrelationHead(depth, shape.n_mels // depth, self.params, shape.num_classes)
