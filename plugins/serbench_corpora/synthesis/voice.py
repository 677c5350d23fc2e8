"""Speakers: their neutral voice, and how they use each cue of emotion."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from serbench_corpora.synthesis.cues import speaker_strengths


@dataclass(frozen=True, slots=True)
class Voice:
    """One speaker's neutral voice.

    Attributes:
        f0_hz: mean F0.
        f0_range_st: size of F0's movements, in semitones.
        tract: factor of the formants of an adult male's vocal tract.
        rate: factor of the speech rate.
        open_quotient: share of a glottal cycle that the glottis is open.
        tilt_db: change of the spectrum at 4 kHz against 500 Hz.
        jitter, breath, level_db: as in ``Cues``, for the neutral voice.
        room_db: level of the recording room's noise, relative to full scale.
        strengths: ``(11,)``, how strongly each cue is used.
    """

    f0_hz: float
    f0_range_st: float
    tract: float
    rate: float
    open_quotient: float
    tilt_db: float
    jitter: float
    breath: float
    level_db: float
    room_db: float
    strengths: np.ndarray


def generator(*names: str | int) -> np.random.Generator:
    """A random generator whose seed is a hash of the arguments, the same on every machine."""
    digest = hashlib.sha256("/".join(map(str, names)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def make_voice(sex: Literal["female", "male"], rng: np.random.Generator) -> Voice:
    """Make a random speaker."""
    female = sex == "female"
    return Voice(
        f0_hz=float(np.exp(rng.normal(np.log(205.0 if female else 118.0), 0.09))),
        f0_range_st=float(rng.uniform(2.0, 3.6)),
        tract=float(rng.normal(1.16 if female else 1.0, 0.03)),
        rate=float(np.exp(rng.normal(0.0, 0.06))),
        open_quotient=float(rng.uniform(0.55, 0.7) + 0.05 * female),
        tilt_db=float(rng.normal(5.0, 1.3)),
        jitter=float(rng.uniform(0.004, 0.010)),
        breath=float(rng.uniform(0.03, 0.08) + 0.02 * female),
        level_db=float(rng.normal(-29.0, 1.5)),
        room_db=float(rng.uniform(-68.0, -58.0)),
        strengths=speaker_strengths(rng),
    )
