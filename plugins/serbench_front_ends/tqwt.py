"""``tqwt-patterns``: shuffle patterns of the sub-bands of a tunable Q-factor wavelet transform."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, Field

from serbench.api import FrontEnd, FrontEndParams

if TYPE_CHECKING:
    from torch import nn

CODES = 256


class TqwtPatternsParams(FrontEndParams):
    """Settings of the wavelet transform."""

    q: float = Field(default=1.0, ge=1.0, le=8.0)
    """Q: the number of periods in a wavelet."""
    redundancy: float = Field(default=3.0, gt=1.0, le=8.0)
    """r: the redundancy, which is the number of values of the transform for each sample,
    with many levels.
    """
    levels: int = Field(default=7, ge=1, le=12)
    """J: the number of levels, which give J + 1 sub-bands."""

    @property
    def scales(self) -> tuple[float, float]:
        """Lengths of the low-pass and the high-pass part of a level, relative to the
        level's input.
        """
        high = 2.0 / (self.q + 1.0)
        return 1.0 - high / self.redundancy, high


class TqwtPatterns(FrontEnd):
    """Two histograms of 256 shuffle patterns for each sub-band, from the highest to the lowest.

    Sub-bands are those of ``tqwt``, patterns those of ``shuffle_histograms``. It follows TSP+INCA
    (Tuncer, Dogan and Acharya, 2021). This is a reconstruction, because no code of it is published.
    """

    name: ClassVar[str] = "tqwt-patterns"
    Params: ClassVar[type[BaseModel]] = TqwtPatternsParams
    params: TqwtPatternsParams

    @property
    def width(self) -> int:
        """Number of values: 512 for each of the J + 1 sub-bands."""
        return (self.params.levels + 1) * 2 * CODES

    @property
    def framing(self) -> None:
        """One row for a whole utterance."""
        return

    @property
    def not_exported(self) -> str:
        """See ``FrontEnd``."""
        return "it counts patterns over a whole utterance"

    def build(self) -> nn.Module:
        """See ``FrontEnd``."""
        from serbench_front_ends.transforms.tqwt import patterns_of_utterances

        return patterns_of_utterances(self.params)
