"""Cuts long utterances into pieces that contain exactly the utterance's own windows.

The graph cuts its input into windows and returns their mean posterior, so an hour in one call would
need the memory of an hour. Instead, an utterance is cut at starts of windows, and the means of its
pieces are averaged by their numbers of windows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serbench_runtime.waveform import Waveform

if TYPE_CHECKING:
    from jaxtyping import Float32


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A part of an utterance.

    Attributes:
        samples: samples of the waveform.
        windows: number of the utterance's windows in the piece.
        new: number of samples of the piece that were in no earlier piece.
    """

    samples: Float32[Waveform, " samples"]
    windows: int
    new: int


class Cutter:
    """Cuts utterances whose windows are ``window - overlap`` apart, all in samples.

    A piece is at least ``least`` samples long, unless its utterance is shorter. An utterance of up
    to ``least`` samples is one piece. None: every utterance is one piece with one window.
    """

    def __init__(self, window: int, overlap: int, least: int | None) -> None:
        self.window = window
        self.undivided = least is None
        least = least or window
        self.hop = window - overlap
        self.windows = math.ceil(max(0, least - window) / self.hop) + 1
        """Number of samples of every piece except an utterance's last."""
        self.samples = (self.windows - 1) * self.hop + window

    def count(self, samples: int) -> int:
        """Number of windows of an utterance: one per hop; the last one is moved back to end with
        the utterance.
        """
        if self.undivided:
            return 1
        return math.ceil(max(0, samples - self.window) / self.hop) + 1

    def is_whole(self, samples: int) -> bool:
        """Whether an utterance of that length is one piece."""
        return self.undivided or samples < self.samples + self.hop

    def pieces(self, blocks: Iterable[Waveform]) -> Iterator[Piece]:
        """The pieces of an utterance that arrives in blocks ``(samples,)`` of any length.

        Memory never exceeds one piece, one hop and one block.
        """
        held, heard = np.zeros(0, np.float32), 0
        for block in blocks:
            held = np.concatenate([held, block]) if held.size else block
            # The rest must have room for a whole window, because its last window is moved back.
            while not self.is_whole(len(held)):
                yield Piece(held[: self.samples], self.windows, self.samples - heard)
                held = held[self.windows * self.hop :]
                heard = self.window - self.hop
        if held.size:
            yield Piece(held, self.count(len(held)), len(held) - heard)
