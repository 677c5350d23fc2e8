"""The network of ``res-lstm-sa``; see ``serbench_baselines.res_lstm_sa``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from serbench.api import StudentOutput, StudentShape
from serbench_baselines.networks.masked import MaskedNorm, attended, kept, shortened

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from serbench_baselines.res_lstm_sa import ResLstmSaParams


class ResLstmSaNetwork(nn.Module):
    """See ``serbench_baselines.res_lstm_sa``; made by ``ResLstmSa.build``.

    Both LSTMs run forwards, so that the padding at the end does not affect real frames.
    """

    def __init__(self, params: ResLstmSaParams, shape: StudentShape) -> None:
        super().__init__()
        width, hidden = shape.channels * shape.n_mels, params.hidden
        self.first = nn.LSTM(width, width, batch_first=True)
        self.norm = MaskedNorm(width)
        self.second = nn.LSTM(width, hidden, batch_first=True)
        self.attention = nn.Parameter(torch.randn(hidden) * hidden**-0.5)
        self.last_norm = nn.BatchNorm1d(hidden)
        self.dropout = nn.Dropout(params.dropout)
        self.classify = nn.Linear(hidden, shape.num_classes)
        self._start()

    def _start(self) -> None:
        """Set the published initial weights."""
        for lstm in (self.first, self.second):
            weight, recurrent, *biases = lstm.parameters()
            nn.init.xavier_normal_(weight)
            nn.init.orthogonal_(recurrent)
            for bias in biases:
                nn.init.zeros_(bias)
                nn.init.ones_(bias[lstm.hidden_size : 2 * lstm.hidden_size])  # the forget gate
        nn.init.xavier_normal_(self.attention[None])
        nn.init.xavier_normal_(self.classify.weight)

    def forward(
        self, features: Float[Tensor, "N channels values frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``."""
        if self.training:
            features = shortened(features, lengths)
        x = kept(features, lengths).flatten(1, 2).transpose(1, 2)  # (N, frames, width)
        x = x + self.first(x)[0]
        x = self.norm(x.transpose(1, 2), lengths).transpose(1, 2)
        states, _ = self.second(x)
        embedding = self.last_norm(attended(states, states @ self.attention, lengths))
        return StudentOutput(self.classify(self.dropout(embedding)), embedding)
