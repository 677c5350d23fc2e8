"""Front ends with one row for a whole utterance."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float


class EachUtterance(nn.Module):
    """A module that calls a function for one utterance at a time: ``(*N, samples)`` to
    ``(*N, 1, d)`` float32.

    Args:
        function: ``(samples,)`` float32 to ``(d,)``, on the CPU.
        shortest: least number of samples; zeros are added to shorter utterances.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], shortest: int = 1) -> None:
        super().__init__()
        self.function, self.shortest = function, shortest

    @torch.no_grad()
    def forward(self, waveforms: Float[Tensor, "*N samples"]) -> Float[Tensor, "*N 1 d"]:
        """See the class."""
        missing = max(0, self.shortest - waveforms.shape[-1])
        filled = nn.functional.pad(waveforms.cpu(), (0, missing))
        rows = [self.function(row) for row in filled.reshape(-1, filled.shape[-1])]
        return torch.stack(rows).float().reshape(*waveforms.shape[:-1], 1, -1)
