"""Levels, spectra and silence of the noises, and speech mixed with them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import welch

from serbench.api import SerbenchError
from serbench.studies.robustness.noise import babble, mix_at_snr, pink_noise, power, white_noise

RATE_HZ = 16_000
LONG = 30 * RATE_HZ


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def tone(frequency_hz: float, samples: int = RATE_HZ, level: float = 0.1) -> NDArray[np.float32]:
    time_s = np.arange(samples) / RATE_HZ
    return (level * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def slope_db_per_octave(noise: NDArray[np.float32]) -> float:
    """Of the power density, a straight line over the octaves from 62.5 Hz to 8 kHz."""
    frequency_hz, density = welch(noise, RATE_HZ, nperseg=4096)
    edges = 62.5 * 2.0 ** np.arange(8)
    levels_db = [
        10 * np.log10(density[(frequency_hz >= low) & (frequency_hz < 2 * low)].mean())
        for low in edges[:-1]
    ]
    return float(np.polyfit(np.arange(len(levels_db)), levels_db, 1)[0])


def test_white_noise_is_flat_and_pink_falls_by_3_db_per_octave() -> None:
    assert slope_db_per_octave(white_noise(LONG, rng())) == pytest.approx(0.0, abs=0.1)
    assert slope_db_per_octave(pink_noise(LONG, rng())) == pytest.approx(-3.01, abs=0.1)


def test_pink_noise_has_nothing_that_nobody_hears() -> None:
    spectrum = np.abs(np.fft.rfft(pink_noise(LONG, rng()).astype(np.float64))) ** 2
    below = np.fft.rfftfreq(LONG, 1 / RATE_HZ) < 20
    assert spectrum[below].sum() < 1e-9 * spectrum.sum()


@pytest.mark.parametrize("make", [white_noise, pink_noise])
def test_noise_has_unit_power_and_follows_its_seed(make) -> None:
    noise = make(LONG, rng(1))
    assert noise.dtype == np.float32
    assert power(noise) == pytest.approx(1.0, rel=0.01)
    np.testing.assert_array_equal(noise, make(LONG, rng(1)))
    assert np.abs(noise - make(LONG, rng(2))).max() > 1


# Mixing


def snr_db(clean: NDArray[np.float32], mixed: NDArray[np.float32]) -> float:
    """From its definition, in float64."""
    signal = clean.astype(np.float64)
    return 10 * float(
        np.log10(np.sum(signal**2) / np.sum((mixed.astype(np.float64) - signal) ** 2))
    )


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(-20, 40),
    st.floats(1e-3, 1),
    st.sampled_from(["white", "pink", "babble"]),
)
def test_the_measured_ratio_is_the_asked_one(
    seed: int, wanted_db: float, level: float, kind: str
) -> None:
    draw = rng(seed)
    size = int(draw.integers(1600, 8000))
    clean = (level * draw.standard_normal(size)).astype(np.float32)
    noise = {
        "white": lambda: white_noise(size, draw),
        "pink": lambda: pink_noise(size, draw),
        "babble": lambda: babble([[tone(200)], [tone(310)]], size, draw),
    }[kind]()
    mixed = mix_at_snr(clean, noise, wanted_db)
    assert mixed.shape == clean.shape
    assert mixed.dtype == np.float32
    assert snr_db(clean, mixed) == pytest.approx(wanted_db, abs=0.01)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-10, 30), st.floats(0.01, 100))
def test_the_level_of_the_noise_does_not_matter(seed: int, at_db: float, factor: float) -> None:
    clean, noise = tone(440), white_noise(RATE_HZ, rng(seed))
    louder = (factor * noise).astype(np.float32)
    np.testing.assert_allclose(
        mix_at_snr(clean, noise, at_db), mix_at_snr(clean, louder, at_db), atol=2e-6
    )


def test_the_mixture_is_not_clipped() -> None:
    assert np.abs(mix_at_snr(tone(100, level=0.9), white_noise(RATE_HZ, rng()), 0.0)).max() > 1


def test_a_silent_utterance_stays_silent_in_noise() -> None:
    silence = np.zeros(RATE_HZ, np.float32)
    mixed = mix_at_snr(silence, white_noise(RATE_HZ, rng()), 10.0)
    np.testing.assert_array_equal(mixed, silence)
    assert mixed is not silence


def test_silent_noise_and_other_lengths_are_refused() -> None:
    with pytest.raises(SerbenchError, match="silent noise"):
        mix_at_snr(tone(100), np.zeros(RATE_HZ, np.float32), 10.0)
    with pytest.raises(SerbenchError, match="cannot be mixed"):
        mix_at_snr(tone(100), white_noise(10, rng()), 10.0)


# Babble


def test_every_talker_is_as_loud_as_the_others() -> None:
    levels = (0.001, 0.1, 0.9)
    mixed = babble([[tone(f, level=a)] for f, a in zip((200, 400, 800), levels, strict=True)],
                   RATE_HZ, rng())  # fmt: skip
    lines = np.abs(np.fft.rfft(mixed))[[200, 400, 800]]
    np.testing.assert_allclose(lines, lines[0], rtol=1e-3)


def test_a_talker_says_all_recordings_around_and_around() -> None:
    first, second = np.full(30, 0.5, np.float32), np.full(10, -0.5, np.float32)
    heard = babble([[first, second]], 80, rng(3))
    assert np.count_nonzero(heard > 0) == 60
    assert np.count_nonzero(heard < 0) == 20
    assert not np.array_equal(heard, babble([[first, second]], 80, rng(4)))


def test_a_silent_talker_adds_nothing_and_silence_alone_is_refused() -> None:
    silence = np.zeros(50, np.float32)
    alone = babble([[tone(500)]], 200, rng(5))
    np.testing.assert_array_equal(alone, babble([[tone(500)], [silence]], 200, rng(5)))
    with pytest.raises(SerbenchError, match="babble of 2 talkers is silent"):
        babble([[silence], [silence]], 200, rng())
