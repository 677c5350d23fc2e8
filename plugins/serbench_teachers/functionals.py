"""``functionals``: statistics of log-mel contours. No weights, nothing to download."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import BaseModel
from torch import Tensor

from serbench.api import (
    SAMPLE_RATE_HZ,
    Params,
    Teacher,
    TeacherCard,
    TeacherError,
    TeacherFeatures,
    import_torchaudio,
)

VERSION = 1
"""Raised whenever the values change; it is this teacher's model digest."""

N_MELS = 40
FRAME_RATE_HZ = 50.0
LOG_FLOOR = 1e-8
"""Added to power before the logarithm: digital silence is at -80 dB of full-scale power 1."""

_HOP = int(SAMPLE_RATE_HZ / FRAME_RATE_HZ)
_PERCENTILES = (0.1, 0.5, 0.9)


class FunctionalsParams(Params):
    """Nothing to set."""


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
        self._mel: torch.nn.Module | None = None

    @property
    def card(self) -> TeacherCard:
        """It is trained on nothing."""
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
        self._mel = (
            import_torchaudio()
            .transforms.MelSpectrogram(
                SAMPLE_RATE_HZ,
                n_fft=512,
                win_length=400,
                hop_length=_HOP,
                f_min=20.0,
                f_max=7600.0,
                n_mels=N_MELS,
                normalized="window",
                pad_mode="constant",  # reflection needs more samples than half a window
            )
            .to(device)
        )

    @torch.inference_mode()
    def embed(self, waveforms: Sequence[Tensor]) -> Sequence[TeacherFeatures]:
        """Embed ``(samples,)`` waveforms: pooled ``(1, 287)``, frames ``(1, F, 41)``."""
        return [self._embed_one(waveform) for waveform in waveforms]

    def _embed_one(self, waveform: Tensor) -> TeacherFeatures:
        if self._mel is None:
            raise TeacherError("functionals is not loaded: call load first")
        buffer = next(self._mel.buffers())
        mel = self._mel(waveform.to(buffer.device))  # (40, F)
        energy = mel.sum(dim=0, keepdim=True)
        contours = torch.cat([mel, energy]).add(LOG_FLOOR).log()  # (41, F)
        return TeacherFeatures(
            pooled=statistics(contours).flatten()[None].cpu(), frames=contours.T[None].cpu()
        )


def statistics(contours: Tensor) -> Tensor:
    """Seven statistics over time of each of ``contours (bands, F)``: ``(7, bands)``."""
    deviation, mean = torch.std_mean(contours, dim=1, correction=0)
    levels = contours.new_tensor(_PERCENTILES)
    percentiles = contours.quantile(levels, dim=1)  # (3, bands)
    # A single frame has no neighbour: no movement.
    steps = contours.diff(dim=1) if contours.shape[1] > 1 else torch.zeros_like(contours)
    movement = torch.stack([steps.abs().mean(dim=1), steps.std(dim=1, correction=0)])
    return torch.cat([mean[None], deviation[None], percentiles, movement])
