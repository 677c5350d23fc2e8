"""Noise, and speech mixed with it at a given level. Waveforms are ``(samples,)`` float32 at 16 kHz.

Nothing here uses a corpus, a fold or a label. Every draw comes from the caller's generator, so that
the same seed gives the same noise on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from serbench.api import SAMPLE_RATE_HZ, SerbenchError
from serbench_runtime.waveform import Waveform

LOWEST_PINK_HZ = 20.0
"""Pink noise has no power below this frequency: a third of its power would be in a range that
nobody hears and no model uses.
"""


def power(waveform: NDArray[np.floating]) -> float:
    """Mean square over all samples, pauses included."""
    return float(np.mean(np.square(waveform, dtype=np.float64)))


def white_noise(samples: int, generator: np.random.Generator) -> Waveform:
    """Gaussian noise of unit variance, the same power at every frequency."""
    return generator.standard_normal(samples).astype(np.float32)


def pink_noise(samples: int, generator: np.random.Generator) -> Waveform:
    """Gaussian noise whose power falls as 1/f (3 dB per octave) from 20 Hz up, of unit power.

    White noise is shaped in the frequency domain by 1/√f; below 20 Hz, and at 0 Hz, there is none.
    """
    spectrum = np.fft.rfft(generator.standard_normal(samples))
    frequency_hz = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ)
    heard = frequency_hz >= LOWEST_PINK_HZ
    shape = np.zeros(len(spectrum))
    shape[heard] = 1 / np.sqrt(frequency_hz[heard])
    noise = np.fft.irfft(spectrum * shape, samples)
    level = np.sqrt(power(noise))
    return (noise / level if level else noise).astype(np.float32)


def babble(
    speech: Sequence[Sequence[Waveform]], samples: int, generator: np.random.Generator
) -> Waveform:
    """Make the sound of several people who talk at once.

    Each talker's recordings are joined, and ``samples`` samples are taken from a random place on.
    If they are too short, they are repeated from the start. All talkers are scaled to the same
    power and added. A talker who is silent all that time adds nothing.

    Args:
        speech: for each talker, some recordings ``(samples_i,)``.
        samples: length of the babble.
        generator: random generator for each talker's starting place.

    Raises:
        SerbenchError: no talker says anything.
    """
    mixed = np.zeros(samples)
    for recordings in speech:
        stream = np.concatenate(recordings).astype(np.float64)
        start = int(generator.integers(len(stream)))
        heard = stream[np.arange(start, start + samples) % len(stream)]
        level = np.sqrt(power(heard))
        if level:
            mixed += heard / level
    if not mixed.any():
        raise SerbenchError(
            f"babble of {len(speech)} talkers is silent: their recordings are silent at that "
            "point; leave silent recordings out of the corpus"
        )
    return mixed.astype(np.float32)


def mix_at_snr(clean: Waveform, noise: Waveform, snr_db: float) -> Waveform:
    """``clean`` with ``noise`` added at a signal-to-noise ratio.

    The ratio is that of mean powers over the whole utterance, pauses included, and over all
    frequencies. The sum is not clipped: it may go beyond ±1, as samples here are floats. A silent
    ``clean`` has no signal-to-noise ratio, so it is returned unchanged.

    Args:
        clean: ``(samples,)``.
        noise: ``(samples,)``, scaled as needed.
        snr_db: 10 log10 of the speech's power divided by the noise's.

    Raises:
        SerbenchError: shapes differ, or the noise is silent.
    """
    if clean.shape != noise.shape:
        raise SerbenchError(
            f"speech of {clean.shape} samples and noise of {noise.shape} cannot be mixed"
        )
    signal, disturbance = power(clean), power(noise)
    if not signal:
        return clean.copy()
    if not disturbance:
        raise SerbenchError("silent noise cannot be scaled to a signal-to-noise ratio")
    scale = np.sqrt(signal / disturbance) * 10 ** (-snr_db / 20)
    return (clean + scale * noise.astype(np.float64)).astype(np.float32)
