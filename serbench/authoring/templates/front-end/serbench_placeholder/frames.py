"""The frames of the front end ``placeholder``."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FLOOR = 1e-8
"""Added to power, so that silence has a level: -80 dB."""


class Frames(nn.Module):
    """Computes levels of bands of equal width, frame by frame."""

    def __init__(self, hop: int, bands: int) -> None:
        super().__init__()
        self.hop, self.bands = hop, bands

    def forward(self, waveforms: Tensor) -> Tensor:
        """Compute ``(*N, frames, bands)`` float32 from waveforms ``(*N, samples)`` float32."""
        filled = F.pad(waveforms, (0, -waveforms.shape[-1] % self.hop))
        blocks = filled.unflatten(-1, (-1, self.hop))  # (*N, frames, hop)
        # TODO: put what you compute of a frame in place of these three lines.
        power = torch.fft.rfft(blocks).abs().square() / self.hop  # (*N, frames, lines)
        banded = [part.mean(dim=-1) for part in power.tensor_split(self.bands, dim=-1)]
        return 10.0 * torch.log10(torch.stack(banded, dim=-1) + FLOOR)
