"""Acoustic measures against their definitions, or against sounds whose measures are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg, signal, stats

from serbench_front_ends import contours

RNG = np.random.default_rng(0)


def test_frames_lie_around_every_hop_with_zeros_beyond_the_ends() -> None:
    x = np.arange(1.0, 11.0)
    found = contours.framed(x, 4, 3)
    expected = [[0, 0, 1, 2], [2, 3, 4, 5], [5, 6, 7, 8], [8, 9, 10, 0]]
    np.testing.assert_array_equal(found, expected)


def test_deltas_are_slopes_of_fitted_lines() -> None:
    x = RNG.normal(size=(9, 3))
    padded = np.concatenate([x[:1], x[:1], x, x[-1:], x[-1:]])
    expected = [np.polyfit(np.arange(5), padded[n : n + 5], 1)[0] for n in range(9)]
    np.testing.assert_allclose(contours.deltas(x), expected, atol=1e-12)


def test_linear_prediction_solves_the_normal_equations() -> None:
    frames = signal.lfilter([1], [1, -1.2, 0.7, -0.2], RNG.normal(size=(4, 400)))
    for found, x in zip(contours.lpc(frames, 13), frames, strict=True):
        r = np.array([x[: 400 - k] @ x[k:] for k in range(14)])
        np.testing.assert_allclose(found, linalg.solve_toeplitz(r[:13], r[1:]), atol=1e-5)


def test_lpcc_are_the_cepstrum_of_the_predictors_spectrum() -> None:
    frames = signal.lfilter([1], [1, -1.2, 0.7, -0.2], RNG.normal(size=(3, 400)))
    for found, a in zip(contours.lpcc(frames, 13), contours.lpc(frames, 13), strict=True):
        spectrum = -np.log(np.abs(np.fft.fft(np.r_[1.0, -a], 8192)))
        cepstrum = np.fft.ifft(spectrum).real  # of the magnitude: even, so half of it each way
        np.testing.assert_allclose(found, 2 * cepstrum[1:14], atol=1e-6)


def test_zero_crossings_centroid_roll_off_and_kurtosis() -> None:
    tone = np.sin(2 * np.pi * 50 * (np.arange(400) + 0.5) / 400)[None]
    assert contours.zero_crossings(tone)[0] == pytest.approx(99 / 399)
    lines = np.arange(5.0)
    power = np.array([[0.0, 5.0, 3.0, 1.0, 1.0]])
    centroid, roll_off = contours.centroid_and_roll_off(power, lines)
    assert centroid[0] == pytest.approx((5 + 6 + 3 + 4) / 10)
    assert roll_off[0] == 3.0  # 0.8 lie up to 2, 0.9 up to 3
    frames = RNG.laplace(size=(3, 400))
    expected = stats.kurtosis(frames, axis=1, fisher=False)
    np.testing.assert_allclose(contours.kurtosis(frames), expected, rtol=1e-9)


@pytest.mark.parametrize("hz", [70.0, 113.7, 200.0, 333.3, 390.0])
def test_the_pitch_of_harmonics_is_found_within_half_a_hertz(hz: float) -> None:
    t = np.arange(16_000) / 16_000
    x = sum(np.sin(2 * np.pi * hz * n * t + n) / n for n in range(1, 11))
    periods = contours.periods(contours.framed(np.asarray(x), 640, 160))[3:-3]
    np.testing.assert_allclose(16_000 / periods, hz, atol=0.5)


def test_noise_and_silence_have_no_pitch() -> None:
    noise = contours.periods(contours.framed(RNG.normal(size=16_000), 640, 160))[3:-3]
    assert (noise > 0).mean() < 0.05
    assert not contours.periods(np.zeros((3, 640))).any()


def test_unsteadiness_is_the_mean_step_of_voiced_neighbours() -> None:
    values = np.array([100.0, 102.0, 50.0, 98.0, 100.0, 1.0])
    voiced = np.array([True, True, False, True, True, False])
    assert contours.unsteadiness(values, voiced) == pytest.approx(2.0 / 100.0)
    assert contours.unsteadiness(values, np.zeros(6, dtype=bool)) == 0.0
