"""The `res-lstm-sa` student: two LSTMs, a skip around the first, attention by one vector.

ResLSTM-SA, 2026, as in its authors' code (Mak-Sim/ResLSTM-SER): 46,772 parameters with the eight
classes of RAVDESS.

Published: 34 MFCC and 12 pitch classes of the whole utterance, from 4096 samples every 2048 at 48
kHz (85 and 43 ms: 1366 and 683 samples at 16 kHz); LSTM as wide as its input with a skip, batch
normalisation, LSTM of 64, weights over time by a softmax of each state's product with one learnt
vector, batch normalisation, dropout; Adam with weight decay 1.6e-3, cosine restarts down to 1 % of
the learning rate, 100 epochs, of which the best on two held-out speakers is used; initial weights
(Glorot, orthogonal between states, forget gates open).

Not published, and decided here: learning rate 1e-4, 3e-4 or 1e-3, chosen on inner speakers; batches
of 16; dropout 0.3; first restart after 10 epochs. Unlike in the authors' code, padding has no
weight in the attention and does not count in the statistics of batch normalisation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from serbench.api import Hears, Params, Student, StudentShape

if TYPE_CHECKING:
    from torch import nn

HEARD = {"window": 1366, "hop": 683, "n_fft": 1366, "coefficients": 34, "chroma": 12}
"""Parameters of the front end ``mfcc``."""


class ResLstmSaParams(Params):
    """Sizes of ResLSTM-SA."""

    hidden: PositiveInt = 64
    """Hidden values of the second LSTM; the first LSTM is as wide as its input."""
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)


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
        """A new network for ``shape``."""
        from serbench_baselines.networks.res_lstm_sa import ResLstmSaNetwork

        return ResLstmSaNetwork(self.params, shape)
