"""The network of ``encoder-finetune``; see ``serbench_baselines.encoder_finetune``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor, nn

from serbench.api import (
    StudentOutput,
)
from serbench_baselines.networks.masked import by_length, mean_over_time

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from serbench_baselines.networks.finetune_encoders import WaveformEncoder, WhisperEncoder


class FinetunedNetwork(nn.Module):
    """See ``serbench_baselines.encoder_finetune``; made by ``EncoderFinetune.build``."""

    def __init__(self, encoder: WaveformEncoder | WhisperEncoder, num_classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.classify = nn.Linear(encoder.width, num_classes)

    def forward(
        self, features: Float[Tensor, "N 1 d frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``."""
        embed = partial(by_length, self._pooled) if self.training else self._pooled
        embedding = embed(features, lengths)
        return StudentOutput(self.classify(embedding), embedding)

    def _pooled(
        self, features: Float[Tensor, "N 1 d frames"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N D"]:
        x, lengths = self.encoder(features, lengths)
        return mean_over_time(x.relu().transpose(1, 2), lengths)
