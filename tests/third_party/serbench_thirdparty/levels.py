"""The front end ``levels``: levels of eight bands of frequencies, every 20 ms."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from serbench.api import Framing, FrontEnd, FrontEndParams

HOP, BANDS = 320, 8


class Levels(FrontEnd):
    """Levels of eight bands in decibels."""

    name = "levels"
    Params = FrontEndParams

    @property
    def width(self) -> int:
        """The bands."""
        return BANDS

    @property
    def framing(self) -> Framing:
        """Frames side by side."""
        return Framing(window=HOP, hop=HOP, centred=False)

    @property
    def gain(self) -> Sequence[float]:
        """1 dB louder is 1 more."""
        return [1.0] * BANDS

    @property
    def bands(self) -> bool:
        """They are."""
        return True

    @property
    def not_exported(self) -> str:
        """See ``FrontEnd``."""
        return "nobody has written its graph yet"

    def build(self) -> nn.Module:
        """``(*N, samples)`` to ``(*N, frames, 8)``."""
        return _Levels()


class _Levels(nn.Module):
    def forward(self, waveforms: Tensor) -> Tensor:
        filled = nn.functional.pad(waveforms, (0, -waveforms.shape[-1] % HOP))
        spectrum = torch.fft.rfft(filled.unflatten(-1, (-1, HOP)))[..., :-1]  # 160 lines
        power = spectrum.abs().square().unflatten(-1, (BANDS, -1)).mean(dim=-1)
        return 10.0 * torch.log10(power + 1e-6)
