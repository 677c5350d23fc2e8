"""``acoustic-vector``: means and deviations of classical acoustic measures."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor, nn

from serbench.api import SAMPLE_RATE_HZ, FrontEnd, FrontEndParams
from serbench_front_ends import contours
from serbench_front_ends.contours import Array
from serbench_front_ends.mfcc import Mfcc, MfccParams
from serbench_front_ends.rows import EachUtterance
from serbench_front_ends.spectra import lines_hz, window_of
from serbench_front_ends.wavelets import packets

WINDOW, HOP, PITCH_WINDOW = 400, 160, 640
"""25 ms every 10 ms; 40 ms for pitch, which has two periods of 60 Hz in it almost."""
COEFFICIENTS, LEVELS = 13, 4
MEASURES = 4 * COEFFICIENTS + 2**LEVELS + 6
"""MFCC with Δ and ΔΔ, LPCC, packets, and six single ones."""


class AcousticVectorParams(FrontEndParams):
    """Nothing more to set."""


class AcousticVector(FrontEnd):
    """Means of 74 measures over an utterance, then their deviations, then jitter and shimmer.

    The measures, frame by frame: 13 MFCC, their Δ, their ΔΔ; 13 LPCC; energies of the 16 wavelet
    packets (db4, four levels) in natural logarithms; zero crossings, spectral centroid and
    roll-off (85 %) in kHz, kurtosis, root mean square; pitch in Hz over voiced frames (0 without
    any). The list is that of MF-CNN (Bhangale and Kothandaraman, 2023); how each is taken is not
    published, so that this is a reconstruction.
    """

    name: ClassVar[str] = "acoustic-vector"
    Params: ClassVar[type[BaseModel]] = AcousticVectorParams
    params: AcousticVectorParams

    @property
    def width(self) -> int:
        """150."""
        return 2 * MEASURES + 2

    @property
    def framing(self) -> None:
        """One row for a whole utterance."""
        return

    @property
    def not_exported(self) -> str:
        """See ``FrontEnd``."""
        return "it takes statistics of a whole utterance"

    def build(self) -> EachUtterance:
        """See ``FrontEnd``."""
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
    """All but pitch, ``(frames, 73)``."""
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
