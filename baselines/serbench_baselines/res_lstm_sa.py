"""The `res-lstm-sa` student: two LSTMs, a skip around the first, attention by one vector.

ResLSTM-SA, 2026, after its authors' code (Mak-Sim/ResLSTM-SER): 46,772 parameters with the eight
classes of RAVDESS.

Published: 34 MFCC and 12 pitch classes of the whole utterance, from 4096 samples every 2048 at 48
kHz (85 and 43 ms: 1366 and 683 samples at 16 kHz); LSTM as wide as its input with a skip, batch
normalisation, LSTM of 64, weights over time by a softmax of each state's product with one learnt
vector, batch normalisation, dropout; Adam with weight decay 1.6e-3, cosine restarts down to 1 % of
the learning rate, 100 epochs, the best by two speakers that are held out; initial weights (Glorot,
orthogonal between states, forget gates open).

Not published, and decided here: learning rate 1e-4, 3e-4 or 1e-3 by inner speakers, batches of 16,
dropout 0.3, first restart after 10 epochs. Padding has no weight in the attention and no part in
the statistics of batch normalisation; in the authors' code it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from serbench.api import Hears, Params, Student, StudentOutput, StudentShape
from serbench_baselines.masked import MaskedNorm, attended, kept, shortened

if TYPE_CHECKING:
    from jaxtyping import Float, Int

HEARD = {"window": 1366, "hop": 683, "n_fft": 1366, "coefficients": 34, "chroma": 12}
"""Of the front end ``mfcc``."""


class ResLstmSaParams(Params):
    """Sizes of ResLSTM-SA."""

    hidden: PositiveInt = 64
    """Of the second LSTM; the first is as wide as its input."""
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)


class ResLstmSaNetwork(nn.Module):
    """See the module docstring; made by ``ResLstmSa.build``.

    Both LSTMs run forwards, so that no real frame hears the padding behind it.
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
        """Initial weights as published."""
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


class ResLstmSa(Student):
    """ResLSTM-SA (2026)."""

    name = "res-lstm-sa"
    Params = ResLstmSaParams
    params: ResLstmSaParams

    @property
    def hears(self) -> Hears:
        """34 MFCC and 12 pitch classes."""
        return Hears("mfcc", HEARD)

    def build(self, shape: StudentShape) -> nn.Module:
        """A fresh network for ``shape``."""
        return ResLstmSaNetwork(self.params, shape)
