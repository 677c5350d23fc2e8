from __future__ import annotations

import numpy as np
import pytest
import torch

from serbench_front_ends.entropy import EntropyVector, EntropyVectorParams
from serbench_front_ends.mfcc import Mfcc, MfccParams
from serbench_front_ends.transforms.entropy import spectral_entropy

RNG = np.random.default_rng(0)


def by_hand(contour: np.ndarray) -> float:
    """By the definition: shares of the lines above 0 Hz."""
    n = len(contour)
    power = [
        abs(sum(contour[t] * np.exp(-2j * np.pi * k * t / n) for t in range(n))) ** 2
        for k in range(1, n // 2 + 1)
    ]
    share = np.array(power) / sum(power)
    return float(-(share * np.log(share)).sum() / np.log(len(share)))


@pytest.mark.parametrize("frames", [4, 5, 30, 31])
def test_spectral_entropy_is_shannons_of_the_lines(frames: int) -> None:
    contours = RNG.normal(3.0, 1.0, (frames, 2))
    found = spectral_entropy(torch.from_numpy(contours))
    np.testing.assert_allclose(found, [by_hand(each) for each in contours.T], atol=1e-9)


def test_what_does_not_move_has_none_and_a_click_has_all() -> None:
    contours = torch.zeros(32, 3, dtype=torch.float64)
    contours[:, 0] = -57.3
    contours[7, 1] = 1.0
    contours[:, 2] = torch.sin(torch.arange(32) * 2 * torch.pi * 4 / 32)
    np.testing.assert_allclose(spectral_entropy(contours), [0.0, 1.0, 0.0], atol=1e-9)
    assert not spectral_entropy(torch.rand(3, 2)).any()


def test_a_vector_is_means_and_then_entropies() -> None:
    x = torch.from_numpy(RNG.normal(0, 0.1, 16_000)).float()
    front_end = EntropyVector(EntropyVectorParams())
    row = front_end.build()(x)[0].double().numpy()
    assert row.shape == (front_end.width,) == (80,)
    mfcc = Mfcc(MfccParams(coefficients=40)).build()(x).double().numpy()
    np.testing.assert_allclose(row[:40], mfcc.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(row[40:], [by_hand(each) for each in mfcc.T], atol=1e-5)
