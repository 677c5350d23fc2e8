"""The front end ``acoustic`` as a module; see ``serbench_front_ends.acoustic``."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from serbench.api import SAMPLE_RATE_HZ
from serbench_front_ends import contours
from serbench_front_ends.acoustic import COEFFICIENTS, LEVELS
from serbench_front_ends.contours import Array
from serbench_front_ends.mfcc import Mfcc, MfccParams
from serbench_front_ends.transforms.rows import EachUtterance
from serbench_front_ends.transforms.spectra import lines_hz, window_of
from serbench_front_ends.wavelets import packets

WINDOW, HOP, PITCH_WINDOW = 400, 160, 640
"""Window and hop in samples: 25 ms every 10 ms. The window for pitch is 40 ms long, which is more
than two periods of 60 Hz.
"""


def measures_of_utterances() -> EachUtterance:
    """A module from waveforms ``(*N, samples)`` to ``(*N, 1, 150)``; see ``AcousticVector``."""
    mfcc = Mfcc(MfccParams(coefficients=COEFFICIENTS)).build()
    return EachUtterance(lambda waveform: _vector(waveform, mfcc))


def _vector(waveform: Tensor, mfcc: nn.Module) -> Tensor:
    x = waveform.double().numpy()
    measures = _measures(x, mfcc(waveform).double().numpy())
    pitched = contours.framed(x, PITCH_WINDOW, HOP)
    periods = contours.periods(pitched)
    voiced = periods > 0
    pitch = SAMPLE_RATE_HZ / periods[voiced] if voiced.any() else np.zeros(1)
    peaks = np.abs(pitched).max(axis=1)
    return torch.from_numpy(
        np.concatenate(
            [
                *(measures.mean(axis=0), [pitch.mean()]),
                *(measures.std(axis=0), [pitch.std()]),
                [contours.unsteadiness(each, voiced) for each in (periods, peaks)],
            ]
        )
    )


def _measures(x: Array, mfcc: Array) -> Array:
    """All measures except pitch, ``(frames, 73)``."""
    frames = contours.framed(x, WINDOW, HOP)
    power = np.abs(np.fft.rfft(frames * window_of("hann", WINDOW))) ** 2
    spectral = contours.centroid_and_roll_off(power, lines_hz(WINDOW, SAMPLE_RATE_HZ) / 1000.0)
    energies = (packets(frames, LEVELS) ** 2).mean(axis=2)
    slopes = contours.deltas(mfcc)
    single = (
        contours.zero_crossings(frames),
        *spectral,
        contours.kurtosis(frames),
        np.sqrt((frames**2).mean(axis=1)),
    )
    return np.concatenate(
        [
            *(mfcc, slopes, contours.deltas(slopes)),
            contours.lpcc(frames * window_of("hamming", WINDOW), COEFFICIENTS),
            np.log(energies + 1e-10),
            np.stack(single, axis=1),
        ],
        axis=1,
    )
