"""Cuts an utterance into windows of frames, in the same way as runs do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from serbench.api import SAMPLE_RATE_HZ, Framing, RegistryError, Waveforms
from serbench.learning.segments import hears_whole, sliding_windows
from serbench.settings import SegmentSettings

WHOLE = (
    "needs a whole utterance at once, so it has no windows to run one by one, as runtimes with "
    "fixed shapes need"
)


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """The windows that ``segments`` and ``fit.predict`` cut from an utterance.

    Durations refer to 16 kHz. A window is a whole number of frames, so that every window of an
    utterance has the same number of real frames.

    Attributes:
        framing: positions of frames; None: an utterance is a single row.
        segments: how windows are cut from them.

    Raises:
        RegistryError: a window is not a whole number of frames.
    """

    framing: Framing | None
    segments: SegmentSettings

    def __post_init__(self) -> None:
        if self.framing is None or self.whole:
            return
        frames = self.segments.window_s / self.framing.hop_s
        if abs(frames - round(frames)) > 1e-6:
            raise RegistryError(
                f"segments.window_s = {self.segments.window_s} cannot be exported: a window must "
                f"be a whole number of frames, and there is one every {self.framing.hop_s:g} s"
            )

    @classmethod
    def read(cls, card: Mapping[str, Any]) -> WindowPlan:
        """Read a plan from JSON with ``framing`` and ``segments``.

        Raises:
            KeyError, TypeError, ValidationError: the JSON does not fit.
        """
        framing = card["framing"]
        return cls(
            None if framing is None else Framing(**framing),
            SegmentSettings.model_validate(card["segments"]),
        )

    @property
    def whole(self) -> bool:
        """Whether an utterance is processed at once: one window of all its frames."""
        return hears_whole(self.framing)

    @property
    def cut_how(self) -> Literal["sliding", "centre", "whole"]:
        """How an utterance is cut."""
        return "whole" if self.whole else self.segments.cut

    @property
    def rate_hz(self) -> float:
        """Frames per second."""
        return 1.0 / self._framing.hop_s

    @property
    def hop(self) -> int:
        """Number of samples between frames."""
        return self._framing.hop

    @property
    def size(self) -> int:
        """Number of frames of a whole window."""
        if self.whole:
            return self.frames(1)
        return round(self.segments.window_s * self.rate_hz)

    @property
    def samples(self) -> int:
        """Number of samples that the frames of a whole window cover, in whole hops.

        Raises:
            RegistryError: see ``cut``.
        """
        return (self.size + self._framing.blocks - 1) * self.hop

    def frames(self, samples: int) -> int:
        """Number of frames of an utterance of ``samples`` samples."""
        return 1 if self.framing is None else self.framing.frames(samples)

    def first_frames(self, samples: int) -> list[int]:
        """The first frame of each window of an utterance of ``samples`` samples."""
        count = self.frames(samples)
        if self.cut_how != "sliding":
            return [max(0, count - self.size) // 2]
        bounds = sliding_windows(
            samples / SAMPLE_RATE_HZ, self.segments.window_s, self.segments.overlap_s
        )
        return [min(round(start_s * self.rate_hz), count - 1) for start_s, _ in bounds]

    def cut(self, waveform: Waveforms) -> tuple[Waveforms, NDArray[np.int64]]:
        """Cut ``(samples,)`` into windows ``(W, self.samples)``, and count their real frames
        ``(W,)``.

        The utterance is mirrored at its ends, as far as its frames reach; after that, a window is
        0.

        Raises:
            RegistryError: the front end needs whole utterances.
        """
        reach = self._framing.reach
        first = self.first_frames(len(waveform))
        frames = min(self.size, self.frames(len(waveform)))
        padded = np.pad(waveform, reach, mode="reflect")
        padded = np.pad(padded, (0, self.samples))
        cut = [padded[start * self.hop :][: self.samples] for start in first]
        return np.stack(cut).astype(np.float32), np.full(len(first), frames, dtype=np.int64)

    @property
    def _framing(self) -> Framing:
        """The framing of frames from which windows can be cut."""
        if self.framing is None or self.whole:
            raise RegistryError(f"the front end {WHOLE}")
        return self.framing
