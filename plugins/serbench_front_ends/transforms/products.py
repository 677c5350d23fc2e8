"""Mel spectra from operations that every runtime has: no FFT, no complex numbers.

A frame's power spectrum is a matrix product with cosines and sines. The Hann window is symmetric
around the frame's middle, so the cosines need only the even part of the samples, and the sines only
the odd part. If samples with even and with odd numbers are separated, the upper half of the
spectrum differs from the lower half only in signs (the first step of an FFT). Both together leave a
quarter of the multiplications.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import Framing


class MelProducts(nn.Module):
    """Mel power as matrix products, and the values that ``level`` makes of it; float32 in and out.

    Args:
        framing: framing with centred frames that can be halved, see
            ``serbench_front_ends.log_mel.halving``.
        transform: torchaudio's ``MelSpectrogram`` that this module replaces.
    """

    even_cosines: Tensor
    odd_cosines: Tensor
    even_sines: Tensor
    odd_sines: Tensor
    lower_mel: Tensor
    upper_mel: Tensor

    def __init__(self, framing: Framing, transform: Any) -> None:
        super().__init__()
        self.hop, self.reach, self.blocks = framing.hop, framing.reach, framing.blocks
        for name, table in _tables(framing, transform).items():
            values = np.ascontiguousarray(table, dtype=np.float32)
            self.register_buffer(name, torch.from_numpy(values))

    @abstractmethod
    def level(self, power: Tensor) -> Tensor:
        """The values of a frame, from its mel power."""

    def forward(self, waveform: Tensor) -> Tensor:
        """Convert ``(N, samples)`` at 16 kHz to ``(N, 1 + samples // hop, n_mels)``."""
        count = 1 + waveform.shape[1] // self.hop
        padded = F.pad(waveform[:, None], (self.reach, self.reach), mode="reflect")[:, 0]
        # Zeros for as many whole hops as a frame covers; those beyond the last frame are not used.
        padded = F.pad(padded, (0, self.blocks * self.hop))
        return self.frames(padded[:, : (count + self.blocks - 1) * self.hop])

    def frames(self, padded: Tensor) -> Tensor:
        """Convert ``(N, (frames + blocks - 1) * hop)``, with ``reach`` samples before the middle of
        the first frame, to ``(N, frames, n_mels)``.
        """
        blocks = padded.unflatten(1, (-1, self.hop))
        count = blocks.shape[1] - self.blocks + 1
        # Samples with even and odd numbers are separated, so that all that follows reads memory in
        # order.
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
        return self.level(lower @ self.lower_mel + upper @ self.upper_mel)


def _tables(framing: Framing, transform: Any) -> dict[str, NDArray[np.float64]]:
    """Windowed cosines and sines ``(reach / 2, lines)``, and the mel filters of both halves
    of the spectrum.
    """
    n_fft = transform.n_fft
    distance = np.arange(framing.reach)
    hann = 0.5 + 0.5 * np.cos(2 * np.pi * distance / framing.window)
    hann[0] /= 2  # the middle sample is its own mirror image, so it would count twice
    lower = np.arange(n_fft // 4 + 1)
    angle = 2 * np.pi * np.outer(distance, lower) / n_fft
    cosines, sines = np.cos(angle) * hann[:, None], np.sin(angle) * hann[:, None]
    filters = transform.mel_scale.fb.double().numpy()  # (n_fft / 2 + 1, n_mels)
    below, above = filters[lower], filters[n_fft // 2 - lower]
    above[-1] = 0  # a quarter of the sample rate is in both halves
    # Lines that no filter uses, such as 0 Hz and half the sample rate, are not computed.
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
