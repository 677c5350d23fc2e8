"""The computations of the teacher ``functionals``; see ``serbench_teachers.functionals``."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from serbench.api import SAMPLE_RATE_HZ, TeacherFeatures, import_torchaudio
from serbench_teachers.functionals import FRAME_RATE_HZ, N_MELS

LOG_FLOOR = 1e-8
"""Value added to power before the logarithm: digital silence is 80 dB below a full-scale
power of 1.
"""

_HOP = int(SAMPLE_RATE_HZ / FRAME_RATE_HZ)
_PERCENTILES = (0.1, 0.5, 0.9)


def mel_filters(device: torch.device) -> nn.Module:
    """A module for mel power at 50 Hz: 40 filters from 20 to 7600 Hz, Hann windows of 25 ms."""
    return (
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
def features(waveform: Tensor, mel: nn.Module) -> TeacherFeatures:
    """Pooled statistics ``(1, 287)`` and frames ``(1, F, 41)`` of one waveform ``(samples,)``."""
    power = mel(waveform.to(next(mel.buffers()).device))  # (40, F)
    energy = power.sum(dim=0, keepdim=True)
    contours = torch.cat([power, energy]).add(LOG_FLOOR).log()  # (41, F)
    return TeacherFeatures(
        pooled=statistics(contours).flatten()[None].cpu(), frames=contours.T[None].cpu()
    )


def statistics(contours: Tensor) -> Tensor:
    """Seven statistics over time of each of ``contours (bands, F)``: ``(7, bands)``."""
    deviation, mean = torch.std_mean(contours, dim=1, correction=0)
    levels = contours.new_tensor(_PERCENTILES)
    percentiles = contours.quantile(levels, dim=1)  # (3, bands)
    # A single frame has no neighbour, so its difference is 0.
    steps = contours.diff(dim=1) if contours.shape[1] > 1 else torch.zeros_like(contours)
    movement = torch.stack([steps.abs().mean(dim=1), steps.std(dim=1, correction=0)])
    return torch.cat([mean[None], deviation[None], percentiles, movement])
