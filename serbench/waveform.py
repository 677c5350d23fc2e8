"""What a waveform is inside serbench: mono float32 at one rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
"""Every waveform inside serbench is mono float32 at this rate."""

Waveform = NDArray[np.float32]
"""``(samples,)``, values from -1 to 1."""
