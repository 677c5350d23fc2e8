"""From a waveform at 16 kHz to frames: log-mel, Whisper's log-mel, or the samples themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import SAMPLE_RATE_HZ
from serbench.api.torchaudio_compat import import_torchaudio
from serbench.settings import FeatureSettings

if TYPE_CHECKING:
    from jaxtyping import Float, Float32

LOG_FLOOR = 1e-6
"""Added to mel power before the logarithm: 60 dB below a mel power of 1."""

WHISPER_FLOOR = 1e-10
"""Whisper's least mel power."""


def front_end(settings: FeatureSettings) -> nn.Module:
    """``(*N, samples)`` at 16 kHz to ``(*N, frames, d)``; each utterance gives at least a frame."""
    kinds: dict[str, type[nn.Module]] = {
        "log-mel": LogMel, "whisper": WhisperMel, "waveform": Samples,
    }  # fmt: skip
    return kinds[settings.kind](settings)


class Extractor:
    """A front end between arrays."""

    def __init__(self, settings: FeatureSettings) -> None:
        self.front_end = front_end(settings)

    @torch.inference_mode()
    def __call__(
        self, waveform: Float32[NDArray[np.float32], " samples"]
    ) -> Float32[NDArray[np.float32], "frames d"]:
        """Frames of a waveform at 16 kHz."""
        return self.front_end(torch.from_numpy(waveform)).contiguous().numpy()


class LogMel(nn.Module):
    """torchaudio's mel spectrogram, natural logarithm: ``1 + samples // hop`` frames."""

    def __init__(self, settings: FeatureSettings) -> None:
        super().__init__()
        window = round(settings.window_s * SAMPLE_RATE_HZ)
        self.per_utterance = settings.normalise == "utterance"
        self.transform = import_torchaudio().transforms.MelSpectrogram(
            sample_rate=SAMPLE_RATE_HZ,
            n_fft=1 << (window - 1).bit_length(),
            win_length=window,
            hop_length=round(settings.hop_s * SAMPLE_RATE_HZ),
            f_min=settings.f_min_hz,
            f_max=settings.f_max_hz,
            n_mels=settings.n_mels,
            power=2.0,
        )

    def forward(self, waveforms: Float[Tensor, "*N samples"]) -> Float[Tensor, "*N frames mels"]:
        """See the class."""
        frames = torch.log(self.transform(waveforms) + LOG_FLOOR).transpose(-1, -2)
        return _centred(frames) if self.per_utterance else frames


class WhisperMel(nn.Module):
    """Whisper's log-mel before its clamp (Radford et al., ICML 2023).

    ``(log10(max(mel power, 1e-10)) + 4) / 4``, in ``1 + samples // 160`` frames. Whisper
    then raises all that is more than 2 below the utterance's maximum to there, and drops the last
    frame; a student that needs the clamp applies it to its own window, so that no frame depends on
    a whole utterance.
    """

    def __init__(self, settings: FeatureSettings) -> None:
        super().__init__()
        self.per_utterance = settings.normalise == "utterance"
        self.transform = import_torchaudio().transforms.MelSpectrogram(
            sample_rate=SAMPLE_RATE_HZ,
            n_fft=400,
            hop_length=160,
            f_min=settings.f_min_hz,
            f_max=settings.f_max_hz,
            n_mels=settings.n_mels,
            power=2.0,
            norm="slaney",
            mel_scale="slaney",
        )

    def forward(self, waveforms: Float[Tensor, "*N samples"]) -> Float[Tensor, "*N frames mels"]:
        """See the class."""
        power = self.transform(waveforms).transpose(-1, -2)
        frames = (power.clamp_min(WHISPER_FLOOR).log10() + 4.0) / 4.0
        return _centred(frames) if self.per_utterance else frames


class Samples(nn.Module):
    """Consecutive samples: frames of a hop each, the last one filled up with zeros.

    There are ``ceil(samples / hop)`` of them, so that no sample is lost, an utterance shorter than
    a frame is one frame, and a window of the evaluation never reaches beyond the last frame.
    """

    def __init__(self, settings: FeatureSettings) -> None:
        super().__init__()
        self.hop = settings.width

    def forward(self, waveforms: Float[Tensor, "*N samples"]) -> Float[Tensor, "*N frames hop"]:
        """See the class."""
        count = (waveforms.shape[-1] + self.hop - 1) // self.hop
        # Filled up and cut, because an exporter cannot follow a remainder.
        filled = F.pad(waveforms, (0, self.hop - 1))[..., : count * self.hop]
        return filled.unflatten(-1, (-1, self.hop))


def _centred(frames: Float[Tensor, "*N frames d"]) -> Float[Tensor, "*N frames d"]:
    """With the utterance's mean of each value taken off."""
    return frames - frames.mean(dim=-2, keepdim=True)
