"""Each of the three spectrograms against its definition in float64, one frame at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from serbench_front_ends.spectrograms import Spectrograms, SpectrogramsParams
from serbench_front_ends.transforms.spectrograms import sine_tapers

Array = NDArray[np.float64]
SAMPLES, FRAMES = 12_000, (20, 37, 55)
"""Frames whose longest band hears nothing beyond the ends."""


def sound() -> Array:
    t = np.arange(SAMPLES) / 16_000
    tones = sum(np.sin(2 * np.pi * hz * t) for hz in (90.0, 440.0, 1234.0, 5000.0))
    return 0.05 * np.asarray(tones) + np.random.default_rng(0).normal(0, 0.01, SAMPLES)


def pictures(params: SpectrogramsParams) -> Array:
    """(3, frames, bands)."""
    found = Spectrograms(params).build()(torch.from_numpy(sound()).float())
    return found.unflatten(1, (3, params.bands)).transpose(0, 1).double().numpy()


def frame(n: int) -> Array:
    return sound()[n * 160 - 200 :][:400]


def slaney(n_bands: int) -> Array:
    """Triangles of equal area from 0 to 8000 Hz, (bands, lines)."""
    top = 15 + 27 * np.log(8) / np.log(6.4)
    mels = np.linspace(0, top, n_bands + 2)
    hz = np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))
    lines = np.arange(1025) * 16_000 / 2048
    triangles = zip(hz, hz[1:], hz[2:], strict=False)
    return np.array([np.interp(lines, c, [0, 2 / (c[2] - c[0]), 0]) for c in triangles])


def test_multitaper_mel_is_the_mean_over_tapers() -> None:
    found = pictures(SpectrogramsParams(length_s=None, tapers=3))[0]
    for n in FRAMES:
        power = np.zeros(1025)
        for k in (1, 2, 3):
            taper = np.sqrt(2 / 401) * np.sin(np.pi * k * np.arange(1, 401) / 401)
            power += np.abs(np.fft.rfft(frame(n) * taper, 2048)) ** 2 / 3
        np.testing.assert_allclose(found[n], 10 * np.log10(slaney(64) @ power), atol=1e-2)


def test_tapers_are_orthonormal() -> None:
    tapers = sine_tapers(400, 4)
    np.testing.assert_allclose(tapers @ tapers.T, np.eye(4), atol=1e-12)


def test_gammatone_bands_are_weighted_spectra() -> None:
    found = pictures(SpectrogramsParams(length_s=None, bands=32))[1]
    rate = [21.4 * np.log10(1 + 0.00437 * hz) for hz in (50.0, 7600.0)]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    for n in FRAMES:
        power = np.abs(np.fft.rfft(frame(n) * hann, 2048)) ** 2
        for band in range(32):
            step = rate[0] + (rate[1] - rate[0]) * band / 31
            centre = (10 ** (step / 21.4) - 1) / 0.00437
            b = 1.019 * 24.7 * (4.37 * centre / 1000 + 1)
            response = [1 / (1 + ((k * 7.8125 - centre) / b) ** 2) ** 4 for k in range(1025)]
            assert found[n, band] == pytest.approx(10 * np.log10(power @ response), abs=1e-2)


def test_constant_q_bands_are_windowed_tones() -> None:
    bands = 56  # eight an octave
    found = pictures(SpectrogramsParams(length_s=None, bands=bands))[2]
    q = 1 / (2 ** (1 / 8) - 1)
    x = sound()
    for n in FRAMES:
        for band in range(bands):
            hz = 62.5 * 2 ** (band / 8)
            half = q / hz / 2 * 16_000  # in samples
            at = np.arange(-int(half), int(half) + 1)
            hann = 0.5 + 0.5 * np.cos(np.pi * at / half)
            tone = np.exp(-2j * np.pi * hz * at / 16_000)
            value = (x[n * 160 + at] * hann * tone).sum() * 200 / hann.sum()
            expected = 10 * np.log10(max(abs(value) ** 2, 1e-10))
            assert found[n, band] == pytest.approx(expected, abs=5e-2)


def test_every_utterance_is_three_seconds_of_three_pictures() -> None:
    front_end = Spectrograms(SpectrogramsParams())
    for samples in (1600, 48_000, 90_001):
        frames = front_end.build()(torch.rand(samples) - 0.5)
        assert frames.shape == (front_end.framing.frames(samples), front_end.width) == (301, 192)


def test_nothing_is_more_than_80_db_below_a_pictures_loudest() -> None:
    padded = Spectrograms(SpectrogramsParams()).build()(torch.from_numpy(sound()).float())
    for picture in padded.unflatten(1, (3, 64)).unbind(1):
        assert float(picture.max() - picture.min()) == pytest.approx(80.0, abs=1e-3)
