"""``spectrograms``: three spectrograms of one utterance, one below another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, PositiveFloat, PositiveInt

from serbench.api import SAMPLE_RATE_HZ, Framing, FrontEnd, FrontEndParams

if TYPE_CHECKING:
    from torch import nn

WINDOW, HOP, N_FFT = 400, 160, 2048
"""Window, hop and size of the Fourier transform in samples: 25 ms every 10 ms at 16 kHz. Frames are
transformed with zeros around them.
"""

LOWEST_HZ, OCTAVES = 62.5, 7
"""Lowest frequency and number of octaves of the constant-Q bands, which reach 8 kHz."""


class SpectrogramsParams(FrontEndParams):
    """Sizes of the three spectrograms."""

    bands: PositiveInt = 64
    """Number of bands of each spectrogram."""
    tapers: PositiveInt = 4
    """Number of tapers of the multitaper spectrum."""
    length_s: PositiveFloat | None = 3.0
    """Length to which each utterance is brought, in seconds: only its middle is used, or zeros are
    added on both sides. None: the length is not changed.
    """


class Spectrograms(FrontEnd):
    """Multitaper mel, gammatone and constant-Q spectrograms in dB, in this order.

    The input of PEmoNet (Bhangale and Kothandaraman, 2023). This is a reconstruction, because their
    settings are not published.
    """

    name: ClassVar[str] = "spectrograms"
    Params: ClassVar[type[BaseModel]] = SpectrogramsParams
    params: SpectrogramsParams

    @property
    def width(self) -> int:
        """Number of values: three times the bands.
        ``frames.unflatten(-1, (3, bands))`` separates them.
        """
        return 3 * self.params.bands

    @property
    def framing(self) -> Framing:
        """A frame every 10 ms; the lowest constant-Q band has the longest window."""
        length_s = self.params.length_s
        length = None if length_s is None else max(1, round(length_s * SAMPLE_RATE_HZ))
        return Framing(2 * reach_of(self.params.bands), HOP, length=length)

    @property
    def length_s(self) -> float | None:
        """See ``SpectrogramsParams``."""
        return self.params.length_s

    @property
    def gain(self) -> Sequence[float]:
        """Change of each value for 1 dB: all values are in dB."""
        return [1.0] * self.width

    @property
    def not_exported(self) -> str:
        """See ``FrontEnd``."""
        return "it looks for an utterance's loudest values"

    def build(self) -> nn.Module:
        """See ``FrontEnd``."""
        from serbench_front_ends.transforms.spectrograms import ThreeSpectrograms

        return ThreeSpectrograms(self.params, self.framing)


def quality(bands: int) -> float:
    """Number of periods of a constant-Q band, with which each band ends where the next
    one begins.
    """
    return 1.0 / (2.0 ** (OCTAVES / bands) - 1.0)


def reach_of(bands: int) -> int:
    """Number of samples on either side of a frame's middle that the lowest band uses, at
    least 12.5 ms.
    """
    longest = math.ceil(quality(bands) / LOWEST_HZ * SAMPLE_RATE_HZ / 2.0)
    return max(WINDOW // 2, longest)
