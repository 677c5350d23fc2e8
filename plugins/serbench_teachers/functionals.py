"""``functionals``: statistics of log-mel contours, without weights or downloads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel

from serbench.api import (
    Params,
    Teacher,
    TeacherCard,
    TeacherError,
    TeacherFeatures,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

VERSION = 1
"""Increased whenever the values change; it is this teacher's model digest."""

N_MELS = 40
FRAME_RATE_HZ = 50.0


class FunctionalsParams(Params):
    """``Functionals`` has no settings."""


class Functionals(Teacher):
    """Log-mel bands and log energy at 50 Hz, and seven statistics of each over time.

    The statistics are mean, standard deviation, 10th, 50th and 90th percentile, and mean absolute
    value and standard deviation of the difference between neighbouring frames.
    """

    name: ClassVar[str] = "functionals"
    Params: ClassVar[type[BaseModel]] = FunctionalsParams
    params: FunctionalsParams

    def __init__(self, params: FunctionalsParams) -> None:
        self.params = params
        self._mel: nn.Module | None = None

    @property
    def card(self) -> TeacherCard:
        """A card that says that nothing is trained."""
        return TeacherCard(
            title="log-mel functionals",
            licence="MIT",
            home="serbench",
            citation="statistics of log-mel contours, computed by serbench",
            pretrained_on=(),
        )

    @property
    def model_digest(self) -> str:
        """The version of the code; there are no weights."""
        return f"functionals:{VERSION}"

    @property
    def frame_rate_hz(self) -> float:
        """50 frames per second."""
        return FRAME_RATE_HZ

    def load(self, device: torch.device) -> None:
        """Make the mel filters: 40 from 20 to 7600 Hz, Hann windows of 25 ms."""
        from serbench_teachers.statistics import mel_filters

        self._mel = mel_filters(device)

    def embed(self, waveforms: Sequence[Tensor]) -> Sequence[TeacherFeatures]:
        """Embed ``(samples,)`` waveforms: pooled ``(1, 287)``, frames ``(1, F, 41)``."""
        from serbench_teachers.statistics import features

        if self._mel is None:
            raise TeacherError("functionals is not loaded: call load first")
        return [features(waveform, self._mel) for waveform in waveforms]
