"""Gain and clipping, the telephone's band, reverberation times measured by Schroeder's method."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from serbench.api import SerbenchError
from serbench.studies.robustness.channel import gain, reverberate, room_response, telephone
from serbench.studies.robustness.noise import power, white_noise

RATE_HZ = 16_000


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def speech(samples: int = RATE_HZ, level: float = 0.1) -> NDArray[np.float32]:
    return (level * white_noise(samples, rng(9))).astype(np.float32)


# Gain


@pytest.mark.parametrize("level_db", [-20.0, -10.0, 10.0])
def test_gain_changes_the_level_by_what_it_says(level_db: float) -> None:
    x = speech(level=0.01)
    louder, clipped = gain(x, level_db)
    assert clipped == 0
    assert louder.dtype == np.float32
    assert 10 * np.log10(power(louder) / power(x)) == pytest.approx(level_db, abs=1e-3)


def test_samples_beyond_full_scale_are_clipped_and_counted() -> None:
    x = np.array([0.0, 0.2, -0.2, 0.5, -0.5, 1.0], np.float32)
    louder, clipped = gain(x, 10.0)
    assert clipped == 3
    factor = 10**0.5
    np.testing.assert_allclose(louder, [0, 0.2 * factor, -0.2 * factor, 1, -1, 1], rtol=1e-6)


# Telephone


def level_at(x: NDArray[np.float32], frequency_hz: int) -> float:
    return float(np.abs(np.fft.rfft(x.astype(np.float64) * np.hanning(len(x))))[frequency_hz])


def test_the_telephone_keeps_the_lower_band_and_loses_the_upper() -> None:
    time_s = np.arange(RATE_HZ) / RATE_HZ
    x = sum(0.1 * np.sin(2 * np.pi * f * time_s) for f in (300, 1000, 3000, 5000, 7000))
    x = np.asarray(x, np.float32)
    y = telephone(x)
    for kept in (300, 1000, 3000):
        assert level_at(y, kept) == pytest.approx(level_at(x, kept), rel=0.01)
    for lost in (5000, 7000):
        assert level_at(y, lost) < 1e-3 * level_at(x, lost)


def test_the_telephone_does_not_shift_in_time() -> None:
    x = np.zeros(1600, np.float32)
    x[700] = 0.5
    assert int(np.abs(telephone(x)).argmax()) == 700


@settings(max_examples=30, deadline=None)
@given(st.integers(1600, 6000))
def test_everything_comes_back_as_long_as_it_was(samples: int) -> None:
    x = speech(samples)
    for y in (telephone(x), gain(x, 10.0)[0], reverberate(x, room_response(0.3, rng()))):
        assert y.shape == (samples,)
        assert y.dtype == np.float32
        assert np.isfinite(y).all()


# Rooms


def measured_t60_s(response: NDArray[np.float64]) -> float:
    """Schroeder's backward integration, a line from -10 to -30 dB, times three (T20)."""
    energy_db = 10 * np.log10(np.cumsum(np.square(response[::-1]))[::-1])
    energy_db -= energy_db[0]
    inside = np.flatnonzero((energy_db <= -10) & (energy_db >= -30))
    slope, _ = np.polyfit(inside / RATE_HZ, energy_db[inside], 1)
    return float(-60 / slope)


@pytest.mark.parametrize("t60_s", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_reverberation_time_is_the_asked_one(t60_s: float, seed: int) -> None:
    assert measured_t60_s(room_response(t60_s, rng(seed))) == pytest.approx(t60_s, rel=0.08)


def test_a_response_has_unit_energy_and_begins_with_the_direct_sound() -> None:
    for direct_db in (-3.0, 0.0, 10.0):
        response = room_response(0.5, rng(), direct_db)
        assert np.sum(response**2) == pytest.approx(1.0)
        assert response[0] == np.abs(response).max()
        ratio_db = 10 * np.log10(response[0] ** 2 / np.sum(response[1:] ** 2))
        assert ratio_db == pytest.approx(direct_db, abs=1e-9)


def test_every_draw_is_another_room_and_a_seed_the_same() -> None:
    one, other = room_response(0.4, rng(1)), room_response(0.4, rng(2))
    assert np.abs(one - other).max() > 0.01
    np.testing.assert_array_equal(one, room_response(0.4, rng(1)))


def test_reverberation_is_the_convolution_from_the_first_sample_on() -> None:
    x, response = speech(400), room_response(0.05, rng())
    np.testing.assert_allclose(
        reverberate(x, response), np.convolve(x.astype(np.float64), response)[:400], atol=1e-6
    )
    np.testing.assert_allclose(reverberate(x, np.array([1.0])), x, atol=1e-7)


def test_a_room_about_keeps_the_level() -> None:
    x = speech(4 * RATE_HZ)
    wet = reverberate(x, room_response(0.6, rng()))
    assert 10 * np.log10(power(wet) / power(x)) == pytest.approx(0.0, abs=0.8)


def test_silence_stays_silent() -> None:
    silence = np.zeros(4000, np.float32)
    for y in (telephone(silence), gain(silence, 10.0)[0], reverberate(silence, np.ones(5))):
        np.testing.assert_array_equal(y, silence)


def test_a_room_without_reverberation_is_refused() -> None:
    with pytest.raises(SerbenchError, match="reverberation time of 0 s"):
        room_response(0, rng())
