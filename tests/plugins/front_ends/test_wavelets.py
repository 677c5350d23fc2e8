from __future__ import annotations

import numpy as np
import pytest

from serbench_front_ends.wavelets import daubechies, packets

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("moments", [1, 2, 4, 6])
def test_the_filter_is_orthonormal_and_kills_polynomials(moments: int) -> None:
    low = np.array(daubechies(moments))
    assert len(low) == 2 * moments
    for shift in range(moments):
        product = low[2 * shift :] @ low[: len(low) - 2 * shift]
        assert product == pytest.approx(1.0 if shift == 0 else 0.0, abs=1e-9)
    high = low[::-1] * (-1.0) ** np.arange(len(low))
    for degree in range(moments):
        assert high @ np.arange(len(low), dtype=float) ** degree == pytest.approx(0.0, abs=1e-6)


def test_the_two_moment_filter_is_known_in_closed_form() -> None:
    r = np.sqrt(3.0)
    expected = np.array([1 + r, 3 + r, 3 - r, 1 - r]) / (4 * np.sqrt(2.0))
    np.testing.assert_allclose(daubechies(2), expected, atol=1e-12)


def test_packets_keep_the_energy() -> None:
    frames = RNG.normal(size=(5, 400))
    found = packets(frames, 4)
    assert found.shape == (5, 16, 25)
    np.testing.assert_allclose((found**2).sum(axis=(1, 2)), (frames**2).sum(axis=1), rtol=1e-9)


@pytest.mark.parametrize("band", range(16))
def test_packets_are_in_order_of_frequency(band: int) -> None:
    """A tone in the middle of each sixteenth of the spectrum is loudest in its own packet."""
    turns = (band + 0.5) / 32
    tone = np.cos(2 * np.pi * turns * np.arange(400) + 0.3)[None]
    energy = (packets(tone, 4) ** 2).sum(axis=2)[0]
    assert energy.argmax() == band


def test_a_level_is_the_circular_convolution_by_hand() -> None:
    x, low = RNG.normal(size=12), daubechies(4)
    expected = np.zeros((2, 6))
    for n in range(6):
        for k in range(8):
            expected[0, n] += low[k] * x[(2 * n + k) % 12]
            expected[1, n] += (-1) ** k * low[7 - k] * x[(2 * n + k) % 12]
    np.testing.assert_allclose(packets(x[None], 1)[0], expected, atol=1e-12)
