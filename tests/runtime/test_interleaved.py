from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from serbench_runtime.interleaved import looks_interleaved

RATE_HZ = 16_000


def voice(seed: int) -> NDArray[np.float32]:
    """Noise with the spectrum of speech, about: softer by 6 dB an octave above 500 Hz."""
    drawn = np.random.default_rng(seed).normal(size=3 * RATE_HZ)
    for n in range(1, len(drawn)):
        drawn[n] += 0.82 * drawn[n - 1]
    return (0.1 * drawn / drawn.std()).astype(np.float32)


ONE, OTHER = voice(0), voice(1)


@pytest.mark.parametrize(
    "right",
    [ONE, ONE / 2, 0 * ONE, np.roll(ONE, 16), OTHER, ONE + OTHER / 10, -ONE],
    ids=["equal", "softer", "silent", "later", "another", "noisy", "opposite"],
)
def test_two_channels_are_noticed(right: NDArray[np.float32]) -> None:
    assert looks_interleaved(np.stack([ONE, right], axis=1).reshape(-1)[: 3 * RATE_HZ])


def test_one_channel_is_not() -> None:
    white = np.random.default_rng(0).normal(0, 0.1, 3 * RATE_HZ)
    tone = np.sin(2 * np.pi * 440 * np.arange(3 * RATE_HZ) / RATE_HZ)
    for samples in (ONE, OTHER, ONE + OTHER, white, tone, np.zeros(100), np.ones(100)):
        assert not looks_interleaved(samples.astype(np.float32))
