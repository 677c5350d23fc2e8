"""The `cnn-gru` student: inverted residual convolutions, a bidirectional GRU, attention over time.

Zhong et al., "A lightweight model based on separable convolution for speech emotion recognition",
Interspeech 2020; sizes are those of the authors' code. 0.95 M parameters: 949,894 with four
classes. As in the authors' code, both directions of the GRU share one cell; with two cells there
would be 1.79 M parameters.

Published: 128 log-mels in decibels (40 ms Hamming, 10 ms hop, 1024 points), at most 7 s; neither
batch normalisation nor dropout; Adam at 3e-4, gradients clipped at norm 5, 2200 steps of 64,
classes weighted by inverse frequency, focal loss (γ = 2) on utterances whose annotators disagree.

Not published, and decided here: γ = 2 on all utterances, because EmoDB and RAVDESS have no
disagreement and IEMOCAP's is not read; the middle 7 s of longer utterances; the convolutions inside
blocks do not change the size of a map, as the 2048 values of a frame imply. PyTorch's GRU applies
its reset gate to the recurrent part after the matrix product, and has a second bias (384 numbers);
TensorFlow's GRU of that time applies it before. Padding is zero before every convolution and has no
weight in the attention.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import PositiveInt

from serbench.api import Hears, Params, Student, StudentShape

if TYPE_CHECKING:
    from torch import nn

HEARD = {
    "window": 640,
    "hop": 160,
    "n_fft": 1024,
    "window_kind": "hamming",
    "n_mels": 128,
    "coefficients": 0,
}
"""Parameters of the front end ``mfcc``, which gives mel bands without a cosine transform."""


class CnnGruParams(Params):
    """Sizes of CNN+GRU."""

    filters: PositiveInt = 64
    """Filters of the blocks; the first convolution has half as many."""
    blocks: PositiveInt = 5
    """Number of blocks with a skip, after the pooling."""
    hidden: PositiveInt = 128
    """Hidden values of the GRU in each direction."""
    dense: PositiveInt = 64


class CnnGru(Student):
    """CNN+GRU (Zhong et al., 2020)."""

    name = "cnn-gru"
    Params = CnnGruParams
    params: CnnGruParams

    @property
    def hears(self) -> Hears:
        """128 mel bands in decibels, standardised band by band."""
        return Hears("mfcc", HEARD)

    def build(self, shape: StudentShape) -> nn.Module:
        """A new network for ``shape``."""
        from serbench_baselines.networks.cnn_gru import CnnGruNetwork

        return CnnGruNetwork(self.params, shape)
