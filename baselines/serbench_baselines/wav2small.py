"""The `wav2small` student: seven small convolutions and attention, 12,162 parameters (K = 7).

Kounades-Bastian et al., "Wav2Small: Distilling Wav2Vec2 to 72K parameters for low-resource speech
emotion recognition", 2024; sizes are those on the card of the published model, which has 17 k in
all (the rest are the front end's fixed filters).

Published: the waveform at 16 kHz with mean 0 and deviation 1; 26 mel bands in decibels from windows
of 64 samples every 32; three 3 × 3 convolutions with 13 filters, a max-pool, four more such
convolutions; each channel and band averaged over time with weights of its own; these 13 × 13 values
and their Gram matrix are the head's input. It was distilled from a large model to predict arousal,
dominance and valence on MSP-Podcast.

Not published, and decided here: it is trained from scratch, on classes, by cross-entropy (the
published weights are CC BY-NC-SA and made for another task): Adam at 1e-3, 100 epochs. Convolutions
are padded with zeros and have no bias; the Gram matrix is of channels; statistics of batch
normalisation are of real frames; each mel band has mean 0 and deviation 1 over the training
partition; the whole utterance is the input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import PositiveInt

from serbench.api import Hears, Params, Student, StudentShape

if TYPE_CHECKING:
    from torch import nn

HEARD = {
    "scale": "unit",
    "window": 64,
    "hop": 32,
    "n_fft": 64,
    "n_mels": 26,
    "coefficients": 0,
    "top_db": None,
}
"""Parameters of the front end ``mfcc``, which gives mel bands without a cosine transform."""


class Wav2SmallParams(Params):
    """Sizes of wav2small."""

    filters: PositiveInt = 13
    before: PositiveInt = 3
    """Number of convolutions before the max-pool."""
    after: PositiveInt = 4
    """Number of convolutions after the max-pool."""


class Wav2Small(Student):
    """wav2small (Kounades-Bastian et al., 2024), on classes and from scratch."""

    name = "wav2small"
    Params = Wav2SmallParams
    params: Wav2SmallParams

    @property
    def hears(self) -> Hears:
        """26 mel bands in decibels, 500 frames a second."""
        return Hears("mfcc", HEARD)

    def build(self, shape: StudentShape) -> nn.Module:
        """A new network for ``shape``."""
        from serbench_baselines.networks.wav2small import Wav2SmallNetwork

        return Wav2SmallNetwork(self.params, shape)
