"""How emotions sound: vocal cues, how a speaker uses them, and how they vary between takes.

The signs and relative sizes follow the reviews of Juslin & Laukka (Psychological Bulletin 129,
2003, Tables 7 and 11: rate, intensity, high-frequency energy, F0 level and range, F1, jitter,
contour, onsets) and the measurements of Banse & Scherer (Journal of Personality and Social
Psychology 70, 1996, Table 6: F0, energy, duration of voiced parts, energy below 1000 Hz and
Hammarberg index of 14 emotions). That smiling shortens the vocal tract and lifts the formants is
Tartter's (Perception & Psychophysics 27, 1980). The numbers themselves are ours, chosen so that
classes overlap.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

import numpy as np

EMOTIONS = ("anger", "happiness", "neutral", "sadness")


@dataclass(frozen=True, slots=True)
class Cues:
    """Differences from a speaker's neutral voice.

    Attributes:
        f0_level_st: mean of F0, in semitones.
        f0_range: natural logarithm of the factor of F0's movements.
        f0_slope_st: F0's drift over the sentence, in semitones.
        rate: natural logarithm of the factor of the speech rate.
        level_db: change of the intensity.
        level_range_db: how much louder stressed vowels are.
        tilt_db: change of the spectrum at 4 kHz against 500 Hz.
        jitter: F0's change from cycle to cycle, as a share of it.
        breath: noise in the glottal source, share of its amplitude.
        formant_shift: natural logarithm of the factor of F1 … F4.
        onset: natural logarithm of the factor of the speed of voice onsets.
    """

    f0_level_st: float = 0.0
    f0_range: float = 0.0
    f0_slope_st: float = 0.0
    rate: float = 0.0
    level_db: float = 0.0
    level_range_db: float = 0.0
    tilt_db: float = 0.0
    jitter: float = 0.0
    breath: float = 0.0
    formant_shift: float = 0.0
    onset: float = 0.0


PROTOTYPES = {
    "anger": Cues(
        f0_level_st=3.0,
        f0_range=0.45,
        f0_slope_st=-0.5,
        rate=0.16,
        level_db=6.0,
        level_range_db=3.0,
        tilt_db=9.0,
        jitter=0.010,
        breath=-0.01,
        formant_shift=0.015,
        onset=0.7,
    ),
    "happiness": Cues(
        f0_level_st=4.0,
        f0_range=0.55,
        f0_slope_st=1.5,
        rate=0.10,
        level_db=3.5,
        level_range_db=1.5,
        tilt_db=3.5,
        jitter=0.0,
        breath=0.0,
        formant_shift=0.075,
        onset=0.4,
    ),
    "neutral": Cues(),
    "sadness": Cues(
        f0_level_st=-0.5,
        f0_range=-0.55,
        f0_slope_st=-1.5,
        rate=-0.20,
        level_db=-5.5,
        level_range_db=-1.5,
        tilt_db=-6.0,
        jitter=0.006,
        breath=0.05,
        formant_shift=-0.01,
        onset=-0.5,
    ),
}

TAKE_SPREAD = Cues(
    f0_level_st=1.1,
    f0_range=0.18,
    f0_slope_st=0.8,
    rate=0.05,
    level_db=1.5,
    level_range_db=0.8,
    tilt_db=1.5,
    jitter=0.003,
    breath=0.012,
    formant_shift=0.008,
    onset=0.2,
)
"""Standard deviation of each cue between takes of the same emotion by the same speaker."""

AMBIGUOUS = 0.12
"""Share of takes with a weak form of their emotion, mixed with another emotion."""


def vector(cues: Cues) -> np.ndarray:
    """The cues as an array ``(11,)`` float64, in the order of the fields."""
    return np.array(astuple(cues), dtype=np.float64)


CUE_COUNT = len(fields(Cues))


def speaker_strengths(rng: np.random.Generator) -> np.ndarray:
    """``(11,)``: how strongly one speaker uses each cue. 1 means as in the prototype, 0
    not at all.
    """
    return np.clip(rng.normal(1.0, 0.3, CUE_COUNT), 0.2, 1.8)


def take_cues(emotion: str, strengths: np.ndarray, rng: np.random.Generator) -> Cues:
    """The cues of one take: the prototype with this speaker's strengths, a varying
    degree, and noise.
    """
    target = vector(PROTOTYPES[emotion])
    intensity = rng.uniform(0.7, 1.3)
    if rng.random() < AMBIGUOUS:
        other = PROTOTYPES[EMOTIONS[rng.integers(len(EMOTIONS))]]
        target = 0.5 * target + 0.5 * vector(other)
    noise = rng.standard_normal(CUE_COUNT) * vector(TAKE_SPREAD)
    return Cues(*(intensity * strengths * target + noise).tolist())
