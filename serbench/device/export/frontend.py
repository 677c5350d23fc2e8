"""The front ends in operations that every runtime has: no FFT, no complex numbers.

A frame's power spectrum is a matrix product with cosines and sines. Seen from the frame's middle,
the Hann window is symmetric, so the cosines need only the even part of the samples and the sines
only the odd part; and between samples of even and of odd number, the upper half of the spectrum
differs from the lower by signs alone (the first step of an FFT). Both together leave a quarter of
the multiplications.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import RegistryError
from serbench.device.windows import Framing
from serbench.learning.front_ends import LOG_FLOOR, WHISPER_FLOOR, LogMel, Samples, WhisperMel
from serbench.settings import FeatureSettings


def exported_front_end(settings: FeatureSettings) -> FrontEnd | SampleFrames:
    """A front end for graphs.

    Raises:
        RegistryError: one that cannot be exported.
    """
    return SampleFrames(settings) if settings.kind == "waveform" else FrontEnd(settings)


class SampleFrames(Samples):
    """``front_ends.Samples``, also of windows that were cut."""

    def frames(self, windows: Tensor) -> Tensor:
        """``(N, frames * hop)`` to ``(N, frames, hop)``."""
        return windows.unflatten(1, (-1, self.hop))


class FrontEnd(nn.Module):
    """``front_ends.LogMel`` or ``WhisperMel`` as matrix products; float32 in and out.

    Raises:
        RegistryError: a frame or a hop of a number of samples that cannot be halved so.
    """

    even_cosines: Tensor
    odd_cosines: Tensor
    even_sines: Tensor
    odd_sines: Tensor
    lower_mel: Tensor
    upper_mel: Tensor

    def __init__(self, settings: FeatureSettings) -> None:
        super().__init__()
        framing = Framing(settings)
        self.hop, self.reach, self.blocks = framing.hop, framing.reach, framing.blocks
        if framing.window % 4 or self.hop % 2:
            raise RegistryError(
                f"features.window_s = {settings.window_s} and features.hop_s = {settings.hop_s} "
                f"are {framing.window} and {self.hop} samples; to be exported, a frame must be a "
                "multiple of 4 samples and a hop one of 2"
            )
        self.whisper = settings.kind == "whisper"
        self.per_utterance = settings.normalise == "utterance"
        for name, table in _tables(settings, framing).items():
            values = np.ascontiguousarray(table, dtype=np.float32)
            self.register_buffer(name, torch.from_numpy(values))

    def forward(self, waveform: Tensor) -> Tensor:
        """``(N, samples)`` at 16 kHz to ``(N, 1 + samples // hop, n_mels)``."""
        count = 1 + waveform.shape[1] // self.hop
        padded = F.pad(waveform[:, None], (self.reach, self.reach), mode="reflect")[:, 0]
        # As many whole hops as the frames reach over; what stands beyond the last frame is unused.
        padded = F.pad(padded, (0, self.blocks * self.hop))
        padded = padded[:, : (count + self.blocks - 1) * self.hop]
        frames = self.frames(padded)
        if self.per_utterance:
            frames = frames - frames.mean(dim=1, keepdim=True)
        return frames

    def frames(self, padded: Tensor) -> Tensor:
        """``(N, (frames + blocks - 1) * hop)``, with ``reach`` samples before the middle of the
        first frame, to ``(N, frames, n_mels)``.
        """
        blocks = padded.unflatten(1, (-1, self.hop))
        count = blocks.shape[1] - self.blocks + 1
        # Samples of even and of odd number apart, so that all that follows reads memory in order.
        apart = blocks.unflatten(2, (-1, 2)).permute(3, 0, 1, 2)
        even, odd = (
            torch.cat([each[:, n : n + count] for n in range(self.blocks)], dim=2) for each in apart
        )
        middle = self.reach // 2
        right, left = even[..., middle : 2 * middle], even[..., 1 : middle + 1].flip(-1)
        a, c = (right + left) @ self.even_cosines, (right - left) @ self.even_sines
        right, left = odd[..., middle : 2 * middle], odd[..., :middle].flip(-1)
        b, d = (right + left) @ self.odd_cosines, (right - left) @ self.odd_sines
        lower = (a + b).square() + (d + c).square()
        upper = (a - b).square() + (d - c).square()
        power = lower @ self.lower_mel + upper @ self.upper_mel
        if self.whisper:
            return (power.clamp_min(WHISPER_FLOOR).log() / (4.0 * np.log(10.0))) + 1.0
        return torch.log(power + LOG_FLOOR)


def _tables(settings: FeatureSettings, framing: Framing) -> dict[str, NDArray[np.float64]]:
    """Windowed cosines and sines ``(reach / 2, lines)``, mel filters of both halves of them."""
    own = WhisperMel(settings) if settings.kind == "whisper" else LogMel(settings)
    n_fft = own.transform.n_fft
    distance = np.arange(framing.reach)
    hann = 0.5 + 0.5 * np.cos(2 * np.pi * distance / framing.window)
    hann[0] /= 2  # the middle sample is its own mirror image, and counted twice
    lower = np.arange(n_fft // 4 + 1)
    angle = 2 * np.pi * np.outer(distance, lower) / n_fft
    cosines, sines = np.cos(angle) * hann[:, None], np.sin(angle) * hann[:, None]
    filters = own.transform.mel_scale.fb.double().numpy()  # (n_fft / 2 + 1, n_mels)
    below, above = filters[lower], filters[n_fft // 2 - lower]
    above[-1] = 0  # a quarter of the rate is in both halves
    # Lines that no filter reads, such as 0 Hz with half the rate, are not computed.
    read = np.flatnonzero((below != 0).any(axis=1) | (above != 0).any(axis=1))
    kept = slice(read[0], read[-1] + 1)
    return {
        "even_cosines": cosines[0::2, kept],
        "odd_cosines": cosines[1::2, kept],
        "even_sines": sines[0::2, kept],
        "odd_sines": sines[1::2, kept],
        "lower_mel": below[kept],
        "upper_mel": above[kept],
    }
