"""Changes of a recording on its way to a model: a level, a telephone's band, a room.

Waveforms are ``(samples,)`` float32 at 16 kHz; results have the
same length and are not shifted in time, so that windows and frames do not move.
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
"""60 dB of amplitude in nepers: exp(-DECAY_60_DB) is a thousandth."""


def gain(waveform: Waveform, level_db: float) -> tuple[Waveform, int]:
    """Make a waveform louder or quieter, and clip it at full scale as a converter does.

    Returns:
        The waveform, and how many samples were clipped.
    """
    louder = waveform * np.float32(10 ** (level_db / 20))
    return np.clip(louder, -1.0, 1.0), int(np.count_nonzero(np.abs(louder) > 1.0))


def telephone(waveform: Waveform) -> Waveform:
    """Resample to 8 kHz and back by soxr's high-quality recipe: nothing above 4 kHz is left.

    There is no codec and no high-pass: only the upper octave is lost.
    """
    narrow = soxr.resample(waveform, SAMPLE_RATE_HZ, TELEPHONE_HZ, quality="HQ")
    wide = soxr.resample(narrow, TELEPHONE_HZ, SAMPLE_RATE_HZ, quality="HQ")
    return _fitted(wide, len(waveform))


def room_response(
    t60_s: float, generator: np.random.Generator, direct_db: float = 0.0
) -> NDArray[np.float64]:
    """The impulse response of a diffuse room: direct sound, then noise that decays exponentially.

    Polack's statistical model (*La transmission de l'énergie sonore dans les salles*, 1988):
    Gaussian noise times exp(-3 ln(10) t / T60). The walls of a room are not modelled, so there are
    no single reflections. Every draw is another room of the same reverberation time.

    Args:
        t60_s: reverberation time, in seconds, in which the tail falls by 60 dB.
        generator: random generator for the tail.
        direct_db: energy of the direct sound relative to the tail's, in dB; 0 dB is a listener at
            the critical distance.

    Returns:
        ``(round(16000 · t60_s),)`` float64 of energy 1, direct sound first.

    Raises:
        SerbenchError: the reverberation time is shorter than two samples.
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
    """``waveform`` in a room, cut to its own length: the reverberation after its end is lost."""
    wet = oaconvolve(waveform.astype(np.float64), response)[: len(waveform)]
    return wet.astype(np.float32)


def _fitted(waveform: Waveform, samples: int) -> Waveform:
    """A waveform of exactly ``samples``: the resampler may give one sample more or less."""
    missing = max(0, samples - len(waveform))
    return np.pad(waveform, (0, missing))[:samples].astype(np.float32, copy=False)
