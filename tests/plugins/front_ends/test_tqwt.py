"""The wavelet transform against its frequency responses, patterns against a count by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from serbench_front_ends.tqwt import TqwtPatterns, TqwtPatternsParams
from serbench_front_ends.transforms.tqwt import TWINE, shuffle_histograms, tqwt

Array = NDArray[np.float64]


def noise(samples: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 0.1, samples))


@settings(max_examples=30, deadline=None)
@given(
    samples=st.integers(2000, 9000),
    q=st.sampled_from([1.0, 2.0, 4.0]),
    redundancy=st.sampled_from([2.0, 3.0, 3.5]),
    levels=st.integers(1, 7),
)
def test_the_energy_of_the_sub_bands_is_that_of_the_waveform(
    samples: int, q: float, redundancy: float, levels: int
) -> None:
    """A tight frame, which is what lets the transposed transform reconstruct the waveform."""
    x = noise(samples)
    params = TqwtPatternsParams(q=q, redundancy=redundancy, levels=levels)
    bands = tqwt(x, levels, params.scales)
    assert len(bands) == levels + 1
    assert float(sum(band.square().sum() for band in bands)) == pytest.approx(
        float(x.square().sum()), rel=1e-12
    )


def responses(omega: Array, alpha: float, beta: float) -> tuple[Array, Array]:
    """Low-pass and high-pass response of a level, as published."""

    def theta(w: Array) -> Array:
        w = np.clip(w, 0, np.pi)
        return 0.5 * (1 + np.cos(w)) * np.sqrt(2 - np.cos(w))

    width = alpha + beta - 1
    low = theta((omega + (beta - 1) * np.pi) / width)
    high = theta((alpha * np.pi - omega) / width)
    return low, high


@pytest.mark.parametrize(("q", "redundancy", "n"), [(1.0, 3.0, 2 * 3**6), (3.0, 3.0, 2 * 6**4)])
def test_sub_bands_are_filtered_and_scaled_as_published(
    q: float, redundancy: float, n: int
) -> None:
    """Lengths at which α n and β n are even, so that nothing is rounded; two levels."""
    params = TqwtPatternsParams(q=q, redundancy=redundancy, levels=2)
    alpha, beta = params.scales
    spectrum = np.fft.fft(noise(n).numpy()) / np.sqrt(n)
    expected = []
    for _ in range(2):
        size = len(spectrum)
        omega = np.abs(np.fft.fftfreq(size)) * 2 * np.pi
        low, high = responses(omega, alpha, beta)
        short, detail = round(alpha * size), round(beta * size)
        assert short % 2 == detail % 2 == 0
        # Low-pass scaling keeps the lines around 0, high-pass scaling those around half the rate.
        kept = np.fft.fftshift(spectrum * low)[(size - short) // 2 :][:short]
        rest = spectrum * high
        half = detail // 2
        moved = np.concatenate([rest[size // 2 - half : size // 2], rest[size // 2 :][:half]])
        expected.append(np.fft.ifft(moved) * np.sqrt(detail))
        spectrum = np.fft.ifftshift(kept)
    expected.append(np.fft.ifft(spectrum) * np.sqrt(len(spectrum)))
    for band, by_hand in zip(tqwt(noise(n), 2, params.scales), expected, strict=True):
        np.testing.assert_allclose(by_hand.imag, 0.0, atol=1e-12)
        np.testing.assert_allclose(band.numpy(), by_hand.real, atol=1e-12)


def test_a_pattern_by_hand() -> None:
    """Sample k goes to place TWINE[k]: 1 comes to 0, 2 to 1, 11 to 2, 6 to 3, 3 to 4, 0 to 5, ….

    Of rising samples, bit i is 1 where what comes to i is an earlier one.
    """
    assert [TWINE.index(i) for i in range(16)] == [
        *(1, 2, 11, 6, 3, 0, 9, 4), *(7, 10, 13, 14, 5, 8, 15, 12),
    ]  # fmt: skip
    found = shuffle_histograms(torch.arange(16.0))
    # places 4, 5 and 7 of the first eight; 8, 12, 13 and 15 of the others
    first, second = 16 + 32 + 128, 1 + 16 + 32 + 128
    assert found.nonzero().flatten().tolist() == [first, 256 + second]


def test_histograms_count_every_block() -> None:
    x = noise(40, seed=1).numpy()
    counts = np.zeros(512)
    for start in range(40 - 15):
        block = x[start : start + 16]
        shuffled = np.zeros(16)
        for place, goal in enumerate(TWINE):
            shuffled[goal] = block[place]
        bits = [int(block[i] >= shuffled[i]) for i in range(16)]
        for half in (0, 1):
            code = sum(bit * 2**i for i, bit in enumerate(bits[8 * half :][:8]))
            counts[256 * half + code] += 1 / 25
    np.testing.assert_allclose(shuffle_histograms(torch.from_numpy(x)).numpy(), counts, atol=1e-12)


def test_a_row_is_the_histograms_of_all_sub_bands() -> None:
    x = noise(5000)
    params = TqwtPatternsParams()
    front_end = TqwtPatterns(params)
    row = front_end.build()(x.float())[0]
    assert row.shape == (front_end.width,) == (8 * 512,)
    lowest = tqwt(x.float().double(), 7, params.scales)[-1]
    np.testing.assert_allclose(row[-512:], shuffle_histograms(lowest), atol=1e-7)
    np.testing.assert_allclose(row.unflatten(0, (16, 256)).sum(dim=1), 1.0, atol=1e-5)
