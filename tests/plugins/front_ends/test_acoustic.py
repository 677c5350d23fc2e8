from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from serbench_front_ends.acoustic import AcousticVector, AcousticVectorParams
from serbench_front_ends.mfcc import Mfcc, MfccParams

Array = NDArray[np.float64]


def voice(level: float = 0.1, tremor: float = 0.0) -> NDArray[np.float32]:
    """A second of harmonics of 125 Hz whose period, 128 samples, may waver."""
    t = np.arange(16_000) / 16_000
    phase = 2 * np.pi * 125 * t + tremor * np.sin(2 * np.pi * 5 * t)
    harmonics = sum(np.sin(n * phase) / n for n in range(1, 11))
    noise = np.random.default_rng(0).normal(0, 1e-4, 16_000)
    return (level * np.asarray(harmonics) + noise).astype(np.float32)


def vector(x: NDArray[np.float32]) -> Array:
    front_end = AcousticVector(AcousticVectorParams())
    row = front_end.build()(torch.from_numpy(x))[0].double().numpy()
    assert row.shape == (front_end.width,)
    return row


def test_every_measure_is_in_its_place() -> None:
    x = voice()
    found = vector(x)
    means, deviations, (jitter, shimmer) = found[:74], found[74:148], found[148:]
    mfcc = Mfcc(MfccParams(coefficients=13)).build()(torch.from_numpy(x)).double().numpy()
    np.testing.assert_allclose(means[:13], mfcc.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(deviations[:13], mfcc.std(axis=0), atol=1e-3)
    first, last = mfcc[:1], mfcc[-1:]
    padded = np.concatenate([first, first, mfcc, last, last])
    slopes = (padded[3:-1] - padded[1:-3] + 2 * (padded[4:] - padded[:-4])) / 10
    np.testing.assert_allclose(means[13:26], slopes.mean(axis=0), atol=1e-3)
    padded = np.pad(x.astype(np.float64), (200, 400))
    frames = np.stack([padded[n * 160 :][:400] for n in range(101)])
    level = np.sqrt((frames**2).mean(axis=1))
    assert means[72] == np.float32(level.mean()).astype(np.float64)
    np.testing.assert_allclose(deviations[72], level.std(), rtol=1e-5)
    np.testing.assert_allclose(means[73], 125.0, atol=0.5)
    assert means[52:68].argmax() == 0  # energy of the lowest packet, below 500 Hz
    assert jitter < 2e-3
    assert shimmer < 0.05


def test_a_wavering_voice_has_jitter() -> None:
    assert vector(voice(tremor=1.5))[148] > 3 * vector(voice())[148]


def test_silence_has_no_pitch_jitter_or_shimmer() -> None:
    found = vector(np.zeros(16_000, np.float32))
    np.testing.assert_array_equal(found[[73, 147, 148, 149]], 0.0)
