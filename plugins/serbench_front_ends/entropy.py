"""``entropy-vector``: means of MFCC, and the spectral entropy of their movement."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, PositiveInt

from serbench.api import FrontEnd, FrontEndParams

if TYPE_CHECKING:
    from torch import nn


class EntropyVectorParams(FrontEndParams):
    """Number of coefficients."""

    coefficients: PositiveInt = 40
    """Number of MFCC, from windows of 25 ms every 10 ms; their other settings are
    those of ``mfcc``.
    """


class EntropyVector(FrontEnd):
    """The mean of each MFCC over an utterance, and after all means, the spectral entropy of each.

    The spectral entropy is that of the coefficient's contour over time without its mean, see
    ``spectral_entropy``. Mishra et al. (2024) use means and entropies as the input of a network.
    This is a reconstruction, because it is not published how they compute the entropy.
    """

    name: ClassVar[str] = "entropy-vector"
    Params: ClassVar[type[BaseModel]] = EntropyVectorParams
    params: EntropyVectorParams

    @property
    def width(self) -> int:
        """Number of values: twice the number of coefficients."""
        return 2 * self.params.coefficients

    @property
    def framing(self) -> None:
        """One row for a whole utterance."""
        return

    @property
    def not_exported(self) -> str:
        """See ``FrontEnd``."""
        return "it takes statistics of a whole utterance"

    def build(self) -> nn.Module:
        """See ``FrontEnd``."""
        from serbench_front_ends.transforms.entropy import means_and_entropies

        return means_and_entropies(self.params.coefficients)
