"""The `tim-net` student: TIM-Net, gated causal convolutions over MFCC in both directions.

Ye et al., "Temporal Modeling Matters: A Novel Temporal Emotional Modeling Approach for Speech
Emotion Recognition", ICASSP 2023; sizes are those of the authors' code. An utterance and its time
reversal each pass through eight blocks, whose reach into the past doubles from block to block.
After each block, the two outputs are added, averaged over time and weighted by one learned number.

The authors resample from a corpus's own rate; here audio is resampled to 16 kHz first, so the bands
above 8 kHz are empty.

Not published, and decided here: all eight numbers start at 1/8; other weights, and the constants of
batch normalisation, have PyTorch's initial values. Padding is neither reversed with the utterance
nor counted in means and statistics.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from serbench.api import Hears, Params, Student, StudentShape

if TYPE_CHECKING:
    from torch import nn

SAMPLES, RATE_HZ = 96_000, 22_050

HEARD: Mapping[str, object] = MappingProxyType(
    {
        "rate_hz": RATE_HZ,
        "length_s": SAMPLES / RATE_HZ,
        "window": 2048,
        "hop": 512,
        "n_fft": 2048,
        "n_mels": 128,
        "coefficients": 39,
        "normalise": "none",
    }
)
"""39 MFCC as librosa computes them, of 4.35 s: 188 frames. This is the authors' length on EmoDB;
they use 110,000 samples on RAVDESS and 310,000 on IEMOCAP (``front_end.length_s`` 4.9887 and
14.059)."""


class TimNetParams(Params):
    """Sizes of TIM-Net."""

    width: PositiveInt = 39
    """Filters of each convolution."""
    blocks: int = Field(default=8, ge=1, le=16)
    """Number of blocks; the authors use 8, and 10 on IEMOCAP."""
    kernel: int = Field(default=2, ge=2)
    """Taps of a convolution."""
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Dropout of whole filters."""


class TimNet(Student):
    """TIM-Net (Ye et al., 2023)."""

    name = "tim-net"
    Params = TimNetParams
    params: TimNetParams

    @property
    def hears(self) -> Hears:
        """39 MFCC at 22,050 Hz, without normalisation by mean and deviation."""
        return Hears("mfcc", HEARD)

    def build(self, shape: StudentShape) -> nn.Module:
        """A new network for ``shape``."""
        from serbench_baselines.networks.tim_net import TimNetwork

        return TimNetwork(self.params, shape)
