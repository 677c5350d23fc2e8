"""The vocal tract: formant resonators in cascade, frame by frame in the frequency domain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.floating]

HOP = 160
"""Samples between frames: 10 ms at 16 kHz."""
WINDOW = 2 * HOP
"""Length of the window in samples: periodic Hann windows of two hops add up to 1."""
FFT = 768
"""Size of the Fourier transform: it leaves 28 ms after each window, in which resonances decay."""
BANDWIDTHS_HZ = np.array([70.0, 95.0, 140.0, 220.0])


def frame_count(samples: int) -> int:
    """Number of frames that cover ``samples`` samples."""
    return samples // HOP + 2


def shape(
    source: Signal,
    noise: Signal,
    formants_hz: Signal,
    frication: Signal,
    frication_hz: Signal,
    tilt_db: float,
    sample_rate_hz: int,
) -> Signal:
    """Filter the voice by the formants and the noise by the constriction, and add them.

    Args:
        source: ``(samples,)`` glottal source.
        noise: ``(samples,)`` white noise of unit variance.
        formants_hz: ``(frames, 4)``.
        frication: ``(frames,)`` amplitude of the noise.
        frication_hz: ``(frames, 2)`` centre and width of the noise.
        tilt_db: gain at 4 kHz against 500 Hz, for the voice.
        sample_rate_hz: of all signals.

    Returns:
        ``(samples,)``.
    """
    frequencies_hz = np.fft.rfftfreq(FFT, 1.0 / sample_rate_hz)
    voiced = np.fft.rfft(_frames(source), FFT) * _resonators(formants_hz, sample_rate_hz)
    voiced *= _tilt(frequencies_hz, tilt_db)
    centre, width = frication_hz[:, :1], frication_hz[:, 1:]
    band = frication[:, None] * np.exp(-0.5 * ((frequencies_hz - centre) / width) ** 2)
    spectrum = voiced + np.fft.rfft(_frames(noise), FFT) * band
    return _overlap_add(np.fft.irfft(spectrum, FFT), len(source))


def _resonators(formants_hz: Signal, sample_rate_hz: int) -> NDArray[np.complex128]:
    """``(frames, bins)``: Klatt's cascade (JASA 67, 1980), each resonator with unit gain at 0."""
    radius = np.exp(-np.pi * BANDWIDTHS_HZ / sample_rate_hz)
    middle = -2.0 * radius * np.cos(2.0 * np.pi * formants_hz / sample_rate_hz)
    denominator = np.ones((len(formants_hz), 1))
    gain = np.ones(len(formants_hz))
    for index in range(formants_hz.shape[1]):
        first, second = middle[:, index], radius[index] ** 2
        product = np.zeros((len(formants_hz), denominator.shape[1] + 2))
        product[:, :-2] += denominator
        product[:, 1:-1] += denominator * first[:, None]
        product[:, 2:] += denominator * second
        denominator = product
        gain = gain * (1.0 + first + second)
    return gain[:, None] / np.fft.rfft(denominator, FFT)


def _tilt(frequencies_hz: Signal, tilt_db: float) -> Signal:
    octaves = np.log2(np.clip(frequencies_hz, 250.0, 8000.0) / 500.0)
    return 10.0 ** (tilt_db / 3.0 * octaves / 20.0)


def _frames(signal: Signal) -> Signal:
    """``(frames, WINDOW)``, windowed; the first one is centred on the first sample."""
    frames = frame_count(len(signal))
    padded = np.zeros((frames + 1) * HOP)
    padded[HOP : HOP + len(signal)] = signal
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW) / WINDOW)
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * window


def _overlap_add(frames: Signal, samples: int) -> Signal:
    pieces = -(-FFT // HOP)
    padded = np.pad(frames, ((0, 0), (0, pieces * HOP - FFT))).reshape(len(frames), pieces, HOP)
    total = np.zeros((len(frames) + pieces, HOP))
    for piece in range(pieces):
        total[piece : piece + len(frames)] += padded[:, piece]
    return total.reshape(-1)[HOP : HOP + samples]
