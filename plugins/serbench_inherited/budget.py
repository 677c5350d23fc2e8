"""The size of each part of a pruned encoder: given explicitly, or by a budget of parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from serbench.api import PluginError

STEPS = 256
"""Number of shares that are tried: k/256 for k = 1 … 256."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """Sizes of the parts of an encoder that are kept.

    Attributes:
        channels: channels of the first convolution; 0: the front end is kept whole.
        query: dimensions of query and key per head, one number for each block.
        value: dimensions of value per head, one number for each block.
        units: units of the feed-forward layer, one number for each block.
    """

    channels: int
    query: tuple[int, ...]
    value: tuple[int, ...]
    units: tuple[int, ...]

    @property
    def blocks(self) -> int:
        """L, the number of blocks that are kept."""
        return len(self.units)


def shrunk(full: Ranks, share: float) -> Ranks:
    """The ranks for a ``share`` (0 … 1] of the feed-forward units.

    With these powers of the share, feed-forward units and values get more parameters than
    queries, keys and the first convolution. The powers are fitted to two sizes of Whisper-tiny's
    first two blocks, with 1.5 and 2.3 million parameters, that had a small reconstruction error
    on unlabelled speech.
    """
    return Ranks(
        channels=_rounded(full.channels, share**1.1, 8),
        query=tuple(_rounded(d, share**1.2, 4) for d in full.query),
        value=tuple(_rounded(d, share**0.45, 4) for d in full.value),
        units=tuple(_rounded(d, share, 8) for d in full.units),
    )


def _rounded(size: int, share: float, step: int) -> int:
    """The multiple of ``step`` nearest to ``share · size``; at least one ``step``,
    at most ``size``.
    """
    return min(size, max(1, round(share * size / step)) * step)


def fit_ranks(budget: float, full: Ranks, count: Callable[[Ranks], int]) -> Ranks:
    """The largest ranks whose network has at most ``budget`` parameters.

    They depend on the encoder's sizes alone. Parameters that remain after rounding are used for
    more units.

    Args:
        budget: number of parameters of the whole student.
        full: the encoder's own ranks.
        count: gives the number of parameters of a student with given ranks.

    Raises:
        PluginError: the smallest student has more parameters.
    """
    low, high = 0, STEPS  # the largest share that is known to fit, and the largest that may fit
    while low < high:
        middle = (low + high + 1) // 2
        if count(shrunk(full, middle / STEPS)) <= budget:
            low = middle
        else:
            high = middle - 1
    if low == 0:
        least = count(shrunk(full, 1 / STEPS))
        raise PluginError(
            f"a budget of {budget:.3g} parameters is too small for {full.blocks} blocks of this "
            f"encoder: the smallest student has {least:,}; raise student.budget, or use fewer "
            "layers or a smaller encoder"
        )
    ranks = shrunk(full, low / STEPS)
    while (larger := _with_more_units(ranks, full)) != ranks and count(larger) <= budget:
        ranks = larger
    return ranks


def _with_more_units(ranks: Ranks, full: Ranks) -> Ranks:
    units = zip(ranks.units, full.units, strict=True)
    return replace(ranks, units=tuple(min(most, size + 8) for size, most in units))
