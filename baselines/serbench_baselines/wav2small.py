"""The `wav2small` student: seven small convolutions and attention, 12,162 parameters (K = 7).

Kounades-Bastian et al., "Wav2Small: Distilling Wav2Vec2 to 72K parameters for low-resource speech
emotion recognition", 2024; sizes after the card of the published model, which has 17 k in all (the
front end's fixed filters are the rest).

Published: the waveform at 16 kHz with mean 0 and deviation 1; 26 mel bands in decibels from windows
of 64 samples every 32; three 3 × 3 convolutions of 13, a max-pool, four more; each channel and band
averaged over time with weights of its own; these 13 × 13 values and their Gram matrix go to the
head. It was distilled from a large model to tell arousal, dominance and valence on MSP-Podcast.

Not published, and decided here: it is trained from scratch, on classes, by cross-entropy (the
published weights are CC BY-NC-SA and know another task): Adam at 1e-3, 100 epochs. Convolutions
have zeros around and no bias; the Gram matrix is of channels; statistics of batch normalisation
are of real frames; each mel band has mean 0 and deviation 1 over the training partition; the whole
utterance is heard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import Hears, Params, Student, StudentOutput, StudentShape
from serbench_baselines.masked import MaskedNorm, frame_mask, halved, kept, shortened

if TYPE_CHECKING:
    from jaxtyping import Float, Int

HEARD = {
    "scale": "unit",
    "window": 64,
    "hop": 32,
    "n_fft": 64,
    "n_mels": 26,
    "coefficients": 0,
    "top_db": None,
}
"""Of the front end ``mfcc``: without a cosine transform it gives mel bands."""


class Wav2SmallParams(Params):
    """Sizes of wav2small."""

    filters: PositiveInt = 13
    before: PositiveInt = 3
    """Convolutions before the max-pool."""
    after: PositiveInt = 4
    """And after it."""


class Convolution(nn.Module):
    """3 × 3 convolution, batch normalisation, ReLU; 0 on padding in and out."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = MaskedNorm(outputs)

    def forward(
        self, x: Float[Tensor, "N c bands frames"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N c2 bands frames"]:
        """A map of the same size."""
        return kept(F.relu(self.norm(self.conv(x), lengths)), lengths)


class Wav2SmallNetwork(nn.Module):
    """See the module docstring; made by ``Wav2Small.build``."""

    def __init__(self, params: Wav2SmallParams, shape: StudentShape) -> None:
        super().__init__()
        width = params.filters
        inputs = [shape.channels] + [width] * (params.before - 1)
        self.before = nn.ModuleList(Convolution(count, width) for count in inputs)
        self.after = nn.ModuleList(Convolution(width, width) for _ in range(params.after))
        self.value = nn.Conv2d(width, width, 1)
        self.score = nn.Conv2d(width, width, 1)
        bands = (shape.n_mels + 1) // 2
        self.classify = nn.Linear(width * (bands + width), shape.num_classes)

    def forward(
        self, features: Float[Tensor, "N channels mels frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """See ``Student.build``."""
        if self.training:
            features = shortened(features, lengths)
        x = kept(features, lengths)
        for convolution in self.before:
            x = convolution(x, lengths)
        x = F.max_pool2d(x, 3, stride=2, padding=1)  # of values from 0 up: padding is never larger
        lengths = halved(lengths)
        x = kept(x, lengths)
        for convolution in self.after:
            x = convolution(x, lengths)
        padding = ~frame_mask(lengths, x.shape[3])[:, None, None, :]
        weights = self.score(x).float().masked_fill(padding, float("-inf")).softmax(dim=3)
        pooled = (weights * self.value(x)).sum(dim=3)  # (N, filters, bands)
        gram = pooled @ pooled.transpose(1, 2)
        embedding = torch.cat([pooled.flatten(1), gram.flatten(1)], dim=1)
        return StudentOutput(self.classify(embedding), embedding)


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
        """A fresh network for ``shape``."""
        return Wav2SmallNetwork(self.params, shape)
