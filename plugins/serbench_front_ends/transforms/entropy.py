"""The front end ``entropy`` as a module; see ``serbench_front_ends.entropy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from serbench_front_ends.mfcc import Mfcc, MfccParams
from serbench_front_ends.transforms.rows import EachUtterance

if TYPE_CHECKING:
    from jaxtyping import Float


def means_and_entropies(coefficients: int) -> EachUtterance:
    """A module from waveforms ``(*N, samples)`` to
    ``(*N, 1, 2 * coefficients)``; see ``EntropyVector``.
    """
    mfcc = Mfcc(MfccParams(coefficients=coefficients)).build()

    def vector(waveform: Tensor) -> Tensor:
        contours = mfcc(waveform).double()  # (frames, coefficients)
        return torch.cat([contours.mean(dim=0), spectral_entropy(contours)])

    return EachUtterance(vector)


def spectral_entropy(contours: Float[Tensor, "frames d"]) -> Float[Tensor, " d"]:
    """Shannon's entropy of each contour's power spectrum above 0 Hz, divided by its largest
    possible value.

    ``-Σ p log p / log K`` with p the share of each of K lines. It is near 1 for noise, and near 0
    for a sine. It is 0 if a contour does not change (by more than rounding), or has fewer than four
    frames, which give at most one line.
    """
    power = torch.fft.rfft(contours, dim=0).abs().square()[1:]  # (K, d)
    lines = len(power)
    if lines < 2:
        return contours.new_zeros(contours.shape[1])
    total = power.sum(dim=0)
    moves = total > 1e-10 * contours.square().sum(dim=0)
    share = power / torch.where(moves, total, 1.0)
    entropy = torch.special.entr(share).sum(dim=0) / torch.log(contours.new_tensor(lines))
    return torch.where(moves, entropy, 0.0)
