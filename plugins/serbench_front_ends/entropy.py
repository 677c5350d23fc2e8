"""``entropy-vector``: means of MFCC, and how evenly their movement is spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from pydantic import BaseModel, PositiveInt
from torch import Tensor

from serbench.api import FrontEnd, FrontEndParams
from serbench_front_ends.mfcc import Mfcc, MfccParams
from serbench_front_ends.rows import EachUtterance

if TYPE_CHECKING:
    from jaxtyping import Float


class EntropyVectorParams(FrontEndParams):
    """How many coefficients."""

    coefficients: PositiveInt = 40
    """MFCC of windows of 25 ms every 10 ms; their settings else are those of ``mfcc``."""


class EntropyVector(FrontEnd):
    """Of each MFCC its mean over an utterance, and after all of these, its spectral entropy.

    The spectral entropy is that of the coefficient's contour over time without its mean, see
    ``spectral_entropy``. Means and entropies are what Mishra et al. (2024) feed to a network; how
    they take the entropy is not published, so that this is a reconstruction.
    """

    name: ClassVar[str] = "entropy-vector"
    Params: ClassVar[type[BaseModel]] = EntropyVectorParams
    params: EntropyVectorParams

    @property
    def width(self) -> int:
        """Twice the coefficients."""
        return 2 * self.params.coefficients

    @property
    def framing(self) -> None:
        """One row for a whole utterance."""
        return

    @property
    def not_exported(self) -> str:
        """See ``FrontEnd``."""
        return "it takes statistics of a whole utterance"

    def build(self) -> EachUtterance:
        """See ``FrontEnd``."""
        mfcc = Mfcc(MfccParams(coefficients=self.params.coefficients)).build()

        def vector(waveform: Tensor) -> Tensor:
            contours = mfcc(waveform).double()  # (frames, coefficients)
            return torch.cat([contours.mean(dim=0), spectral_entropy(contours)])

        return EachUtterance(vector)


def spectral_entropy(contours: Float[Tensor, "frames d"]) -> Float[Tensor, " d"]:
    """Shannon's entropy of each contour's power spectrum above 0 Hz, over the largest possible.

    ``-Σ p log p / log K`` with p the share of each of K lines: near 1 for noise, near 0 for a
    sine. A contour that does not move (by more than rounding), or of fewer than four frames, which
    have one line at most, has 0.
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
