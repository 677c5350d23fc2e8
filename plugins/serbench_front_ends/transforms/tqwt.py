"""The front end ``tqwt`` as a module; see ``serbench_front_ends.tqwt``."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from serbench_front_ends.tqwt import CODES
from serbench_front_ends.transforms.rows import EachUtterance

if TYPE_CHECKING:
    from jaxtyping import Float

    from serbench_front_ends.tqwt import TqwtPatternsParams

TWINE = (5, 0, 1, 4, 7, 12, 3, 8, 13, 6, 9, 2, 15, 10, 11, 14)
"""New position of each of sixteen pieces in the block cipher TWINE (Suzaki et al., SAC 2012)."""

BLOCK = len(TWINE)


def patterns_of_utterances(params: TqwtPatternsParams) -> EachUtterance:
    """A module from waveforms ``(*N, samples)`` to ``(*N, 1, d)``; see ``TqwtPatterns``."""

    def row(waveform: Tensor) -> Tensor:
        bands = tqwt(waveform.double(), params.levels, params.scales)
        return torch.cat([shuffle_histograms(band) for band in bands])

    return EachUtterance(row, _shortest(params))


def tqwt(
    waveform: Float[Tensor, " samples"], levels: int, scales: tuple[float, float]
) -> list[Float[Tensor, " n"]]:
    """The tunable Q-factor wavelet transform (Selesnick, IEEE TSP 59(8), 2011).

    Args:
        waveform: real samples; one sample is added if their number is odd.
        levels: J.
        scales: α and β of the paper; α + β > 1.

    Returns:
        J high-pass sub-bands, that of the highest frequencies first, and the low-pass rest. Their
        energies add up to that of the waveform.
    """
    whole = len(waveform) + len(waveform) % 2
    spectrum = torch.fft.rfft(waveform, whole, norm="ortho")
    bands: list[Tensor] = []
    for low, high in _sizes(whole, levels, scales):
        spectrum, detail = _split(spectrum, low, high)
        bands.append(torch.fft.irfft(detail, high, norm="ortho"))
    return [*bands, torch.fft.irfft(spectrum, 2 * (len(spectrum) - 1), norm="ortho")]


def _sizes(whole: int, levels: int, scales: tuple[float, float]) -> list[tuple[int, int]]:
    """Number of samples of the low-pass and of the high-pass part of each level, all even."""
    alpha, beta = scales
    low = [2 * round(alpha**level * whole / 2) for level in range(levels + 1)]
    high = [2 * round(beta * alpha**level * whole / 2) for level in range(levels)]
    return list(zip(low[1:], high, strict=True))


def _split(spectrum: Tensor, low: int, high: int) -> tuple[Tensor, Tensor]:
    """Split lines 0 to n / 2 into those of a low-pass and of a high-pass part, for one level.

    Both parts contain the lines of the transition, with weights whose squares add up to 1: θ(ω) in
    one part and θ(π - ω) in the other, with θ(ω) = (1 + cos ω) / 2 · √(2 - cos ω).
    """
    size = 2 * (len(spectrum) - 1)
    kept, shared = (size - high) // 2, (low + high - size) // 2 - 1
    omega = torch.arange(1, shared + 1, dtype=torch.float64) * torch.pi / (shared + 1)
    falling = 0.5 * (1.0 + omega.cos()) * (2.0 - omega.cos()).sqrt()
    middle, end = spectrum[kept + 1 : low // 2], spectrum.new_zeros(1)
    below = torch.cat([spectrum[: kept + 1], middle * falling, end])
    above = torch.cat([end, middle * falling.flip(0), spectrum[low // 2 :]])
    return below, above


def shuffle_histograms(band: Float[Tensor, " n"]) -> Float[Tensor, 512]:
    """Histograms of the patterns in all blocks of sixteen neighbouring samples.

    Bit i of a block is 1 if its sample i is not below the sample that TWINE's permutation moves
    there. The first eight bits are one code, the last eight bits another; in each code, the first
    bit counts 1 and the last bit 128. Values are shares of the blocks: each of the two histograms
    adds up to 1.
    """
    moved = torch.empty(BLOCK, dtype=torch.long)
    moved[list(TWINE)] = torch.arange(BLOCK)  # index of the sample that is moved to each position
    blocks = band.unfold(0, BLOCK, 1)
    bits = (blocks >= blocks[:, moved]).unflatten(1, (2, 8)).long()
    codes = (bits << torch.arange(8)).sum(dim=2)  # (blocks, 2)
    counts = [torch.bincount(column, minlength=CODES) for column in codes.T]
    return torch.cat(counts).double() / len(blocks)


def _shortest(params: TqwtPatternsParams) -> int:
    """Least number of samples with which every sub-band has a block, and every level a
    transition.
    """
    samples = BLOCK
    while not _fits(_sizes(samples, params.levels, params.scales), samples):
        samples += 2
    return samples


def _fits(sizes: list[tuple[int, int]], whole: int) -> bool:
    wholes = [whole, *(low for low, _ in sizes)]
    enough = all(min(each) >= BLOCK for each in sizes)
    return enough and all(
        low + high >= before + 2 and low < before
        for (before, _), (low, high) in zip(pairwise(wholes), sizes, strict=True)
    )
