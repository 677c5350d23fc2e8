"""``log-mel``: the natural logarithm of mel power."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from serbench.api import SAMPLE_RATE_HZ, Framing, FrontEnd, FrontEndParams

if TYPE_CHECKING:
    from torch import nn


class LogMelParams(FrontEndParams):
    """Settings of ``LogMel``."""

    deltas: bool = True
    n_mels: PositiveInt = 40
    window_s: PositiveFloat = 0.025
    hop_s: PositiveFloat = 0.010
    f_min_hz: NonNegativeFloat = 20.0
    f_max_hz: PositiveFloat = 7600.0

    @model_validator(mode="after")
    def _can_be_computed(self) -> Self:
        if not self.f_min_hz < self.f_max_hz <= SAMPLE_RATE_HZ / 2:
            raise ValueError(
                f"f_min_hz = {self.f_min_hz:g} and f_max_hz = {self.f_max_hz:g}: the first must "
                "be below the second, and the second at most 8000"
            )
        if min(self.window_s, self.hop_s) * SAMPLE_RATE_HZ < 1:
            raise ValueError("window_s and hop_s must be at least one sample, 0.0000625 s")
        return self


class LogMel(FrontEnd):
    """Log-mel: 40 filters, 25 ms window, 10 ms hop, 20–7600 Hz; with Δ and ΔΔ."""

    name = "log-mel"
    Params = LogMelParams
    params: LogMelParams

    @property
    def width(self) -> int:
        """Number of mel filters."""
        return self.params.n_mels

    @property
    def framing(self) -> Framing:
        """See ``FrontEnd``."""
        window, hop = self.params.window_s, self.params.hop_s
        return Framing(round(window * SAMPLE_RATE_HZ), round(hop * SAMPLE_RATE_HZ))

    @property
    def gain(self) -> Sequence[float]:
        """Change of each filter's value for 1 dB of power, in natural logarithms."""
        return [float(np.log(10.0) / 10.0)] * self.width

    @property
    def bands(self) -> bool:
        """See ``FrontEnd``."""
        return True

    @property
    def not_exported(self) -> str:
        """Reason why it cannot be exported, if frames cannot be halved; else empty."""
        return halving(self.framing)

    def build(self) -> nn.Module:
        """A module from waveforms ``(*N, samples)`` to ``(*N, 1 + samples // hop, n_mels)``."""
        from serbench_front_ends.transforms.log_mel import LogMelFrames

        return LogMelFrames(self.params)

    def exported(self) -> nn.Module:
        """See ``FrontEnd``."""
        from serbench_front_ends.transforms.log_mel import LogMelProducts

        if self.not_exported:
            return super().exported()
        return LogMelProducts(self.framing, self.build().transform)


def halving(framing: Framing) -> str:
    """Reason why frames cannot be computed by halves, in a few words; empty: they can."""
    window, hop = framing.window, framing.hop
    if not (window % 4 or hop % 2):
        return ""
    return (
        f"window_s = {window / SAMPLE_RATE_HZ:g} and hop_s = {hop / SAMPLE_RATE_HZ:g} are "
        f"{window} and {hop} samples; for an export, the window must be a multiple of 4 samples "
        "and the hop a multiple of 2"
    )
