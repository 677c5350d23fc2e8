"""What a recording goes through on its way: a level, a telephone's band, a room.

Waveforms are ``(samples,)`` float32 at 16 kHz; each comes back as long as it was, in step with
itself, so that windows and frames stay where they were.
"""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.signal import oaconvolve

from serbench.api import SAMPLE_RATE_HZ, SerbenchError
from serbench_runtime.waveform import Waveform

TELEPHONE_HZ = 8_000

DECAY_60_DB = 3 * np.log(10.0)
"""Nepers in 60 dB of amplitude: exp(-DECAY_60_DB) is a thousandth."""


def gain(waveform: Waveform, level_db: float) -> tuple[Waveform, int]:
    """Louder or quieter, and clipped at full scale as a converter does it.

    Returns:
        The waveform, and how many samples were clipped.
    """
    louder = waveform * np.float32(10 ** (level_db / 20))
    return np.clip(louder, -1.0, 1.0), int(np.count_nonzero(np.abs(louder) > 1.0))


def telephone(waveform: Waveform) -> Waveform:
    """Through 8 kHz and back to 16 kHz by soxr's high-quality recipe: nothing above 4 kHz is left.

    No codec and no high-pass: the loss of the upper octave alone.
    """
    narrow = soxr.resample(waveform, SAMPLE_RATE_HZ, TELEPHONE_HZ, quality="HQ")
    wide = soxr.resample(narrow, TELEPHONE_HZ, SAMPLE_RATE_HZ, quality="HQ")
    return _fitted(wide, len(waveform))


def room_response(
    t60_s: float, generator: np.random.Generator, direct_db: float = 0.0
) -> NDArray[np.float64]:
    """The impulse response of a diffuse room: direct sound, then noise that decays exponentially.

    Polack's statistical model (*La transmission de l'énergie sonore dans les salles*, 1988):
    Gaussian noise times exp(-3 ln(10) t / T60). No room's walls are modelled, hence no single
    reflections; every draw is another room of the same reverberation time.

    Args:
        t60_s: reverberation time, in seconds, in which the tail falls by 60 dB.
        generator: of the tail.
        direct_db: energy of the direct sound over the tail's; 0 dB is a listener at the critical
            distance.

    Returns:
        ``(round(16000 · t60_s),)`` float64 of energy 1, direct sound first.

    Raises:
        SerbenchError: a reverberation time shorter than two samples.
    """
    samples = round(SAMPLE_RATE_HZ * t60_s)
    if samples < 2:
        raise SerbenchError(f"a room cannot have a reverberation time of {t60_s} s")
    time_s = np.arange(1, samples) / SAMPLE_RATE_HZ
    tail = generator.standard_normal(samples - 1) * np.exp(-DECAY_60_DB * time_s / t60_s)
    tail *= 10 ** (-direct_db / 20) / np.sqrt(np.sum(np.square(tail)))
    response = np.concatenate([[1.0], tail])
    return response / np.sqrt(np.sum(np.square(response)))


def reverberate(waveform: Waveform, response: NDArray[np.float64]) -> Waveform:
    """``waveform`` in a room, cut to its length: what still rings at its end is lost."""
    wet = oaconvolve(waveform.astype(np.float64), response)[: len(waveform)]
    return wet.astype(np.float32)


def _fitted(waveform: Waveform, samples: int) -> Waveform:
    """Exactly ``samples`` long: the resampler may give one more or less."""
    missing = max(0, samples - len(waveform))
    return np.pad(waveform, (0, missing))[:samples].astype(np.float32, copy=False)
