"""``acoustic-vector``: means and deviations of classical acoustic measures."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel

from serbench.api import FrontEnd, FrontEndParams

if TYPE_CHECKING:
    from torch import nn

COEFFICIENTS, LEVELS = 13, 4
MEASURES = 4 * COEFFICIENTS + 2**LEVELS + 6
"""Number of measures: MFCC with Δ and ΔΔ, LPCC, wavelet packets, and six single measures."""


class AcousticVectorParams(FrontEndParams):
    """No further settings."""


class AcousticVector(FrontEnd):
    """Means of 74 measures over an utterance, then their deviations, then jitter and shimmer.

    The measures, frame by frame: 13 MFCC, their Δ, their ΔΔ; 13 LPCC; energies of the 16 wavelet
    packets (db4, four levels) in natural logarithms; zero crossings, spectral centroid and roll-off
    (85 %) in kHz, kurtosis, root mean square; pitch in Hz over voiced frames (0 without any). The
    list is that of MF-CNN (Bhangale and Kothandaraman, 2023). This is a reconstruction, because it
    is not published how each measure is computed.
    """

    name: ClassVar[str] = "acoustic-vector"
    Params: ClassVar[type[BaseModel]] = AcousticVectorParams
    params: AcousticVectorParams

    @property
    def width(self) -> int:
        """Number of values: 150."""
        return 2 * MEASURES + 2

    @property
    def framing(self) -> None:
        """One row for a whole utterance."""
        return

    @property
    def not_exported(self) -> str:
        """See ``FrontEnd``."""
        return "it takes statistics of a whole utterance"

    def build(self) -> nn.Module:
        """See ``FrontEnd``."""
        from serbench_front_ends.transforms.acoustic import measures_of_utterances

        return measures_of_utterances()
