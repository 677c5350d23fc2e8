"""How an utterance is cut into windows: in frames, as runs cut it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serbench.api import SAMPLE_RATE_HZ, RegistryError, Waveforms
from serbench.learning.segments import sliding_windows
from serbench.settings import FeatureSettings, SegmentSettings


@dataclass(frozen=True, slots=True)
class Framing:
    """The front end's frames, counted in samples at 16 kHz."""

    features: FeatureSettings

    @property
    def samples_alone(self) -> bool:
        """Whether a frame is a hop of samples, and nothing around them."""
        return self.features.kind == "waveform"

    @property
    def window(self) -> int:
        """Samples that a frame is computed from."""
        return round(self.features.window_s * SAMPLE_RATE_HZ)

    @property
    def hop(self) -> int:
        """Samples between frames."""
        return round(self.features.hop_s * SAMPLE_RATE_HZ)

    @property
    def reach(self) -> int:
        """Samples that a frame reaches out to either side of its middle; of samples alone, 0."""
        return 0 if self.samples_alone else self.window // 2

    @property
    def blocks(self) -> int:
        """Hops that a frame reaches over."""
        return max(1, -(-2 * self.reach // self.hop))

    def frames(self, samples: int) -> int:
        """Frames of an utterance of so many samples."""
        return -(-samples // self.hop) if self.samples_alone else 1 + samples // self.hop


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """The windows that ``segments`` and ``fit.predict`` cut of an utterance.

    Durations are counted at 16 kHz. A window is a whole number of frames, so that every window of
    an utterance has the same number of real ones.

    Raises:
        RegistryError: a window or a hop of frames that is no whole number of frames or samples.
    """

    features: FeatureSettings
    segments: SegmentSettings

    def __post_init__(self) -> None:
        hop = self.features.hop_s * SAMPLE_RATE_HZ
        frames = self.segments.window_s / self.features.hop_s
        if abs(hop - round(hop)) > 1e-6 or abs(frames - round(frames)) > 1e-6:
            raise RegistryError(
                f"segments.window_s = {self.segments.window_s} with features.hop_s = "
                f"{self.features.hop_s} cannot be exported: a window must be a whole number of "
                "frames, and a hop a whole number of samples at 16 kHz"
            )

    @property
    def rate_hz(self) -> float:
        """Frames per second."""
        return 1.0 / self.features.hop_s

    @property
    def framing(self) -> Framing:
        """Its frames, in samples."""
        return Framing(self.features)

    @property
    def hop(self) -> int:
        """Samples between frames."""
        return self.framing.hop

    @property
    def size(self) -> int:
        """Frames of a whole window."""
        return round(self.segments.window_s * self.rate_hz)

    @property
    def samples(self) -> int:
        """Samples that the frames of a whole window reach over, in whole hops."""
        return (self.size + self.framing.blocks - 1) * self.hop

    def first_frames(self, samples: int) -> list[int]:
        """The first frame of each window of an utterance of so many samples."""
        count = self.framing.frames(samples)
        bounds = sliding_windows(
            samples / SAMPLE_RATE_HZ, self.segments.window_s, self.segments.overlap_s
        )
        return [min(round(start_s * self.rate_hz), count - 1) for start_s, _ in bounds]

    def cut(self, waveform: Waveforms) -> tuple[Waveforms, NDArray[np.int64]]:
        """``(samples,)`` to windows of audio ``(W, self.samples)`` and their real frames ``(W,)``.

        The utterance is mirrored at its ends, as far as its frames reach; beyond that, a window
        is 0.
        """
        first = self.first_frames(len(waveform))
        frames = min(self.size, self.framing.frames(len(waveform)))
        padded = np.pad(waveform, self.framing.reach, mode="reflect")
        padded = np.pad(padded, (0, self.samples))
        cut = [padded[start * self.hop :][: self.samples] for start in first]
        return np.stack(cut).astype(np.float32), np.full(len(first), frames, dtype=np.int64)
