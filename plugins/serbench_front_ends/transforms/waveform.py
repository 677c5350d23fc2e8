"""The front end ``waveform`` as a module; see ``serbench_front_ends.waveform``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from jaxtyping import Float


class Samples(nn.Module):
    """Consecutive samples: each frame is one hop long, and the last one is padded with zeros.

    There are ``ceil(samples / hop)`` of them, so that no sample is lost, an utterance shorter than
    a frame is one frame, and a window of the evaluation never reaches beyond the last frame.
    """

    def __init__(self, hop: int) -> None:
        super().__init__()
        self.hop = hop

    def forward(self, waveforms: Float[Tensor, "*N samples"]) -> Float[Tensor, "*N frames hop"]:
        """See the class."""
        count = (waveforms.shape[-1] + self.hop - 1) // self.hop
        # Padded and cut, because an exporter cannot follow a remainder.
        filled = F.pad(waveforms, (0, self.hop - 1))[..., : count * self.hop]
        return filled.unflatten(-1, (-1, self.hop))

    def frames(self, windows: Float[Tensor, "W samples"]) -> Float[Tensor, "W frames hop"]:
        """The frames of windows that consist of whole frames."""
        return windows.unflatten(1, (-1, self.hop))
