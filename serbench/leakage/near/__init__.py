"""L5: recordings that are copies of one another though no sample is the same.

``fingerprint`` turns a waveform into words that survive gain, codecs, resampling, cuts and padding;
``candidates`` finds recordings that share them without looking at all pairs; ``compare`` holds
the waveforms against each other. ``near_duplicates`` does all of it for a corpus.
"""

from serbench.leakage.near.fingerprints import fingerprint
from serbench.leakage.near.index import candidates
from serbench.leakage.near.search import (
    THRESHOLD,
    NearPair,
    Recording,
    near_duplicates,
    similar,
)
from serbench.leakage.near.verify import Likeness, Prepared, compare, prepare

__all__ = [
    "THRESHOLD",
    "Likeness",
    "NearPair",
    "Prepared",
    "Recording",
    "candidates",
    "compare",
    "fingerprint",
    "near_duplicates",
    "prepare",
    "similar",
]
