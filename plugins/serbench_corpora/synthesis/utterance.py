"""Synthesises one take of one sentence: from phones, voice and cues to samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serbench_corpora.synthesis.cues import Cues
from serbench_corpora.synthesis.phones import Phone, phone_sequence
from serbench_corpora.synthesis.source import glottal_source
from serbench_corpora.synthesis.tract import HOP, frame_count, shape
from serbench_corpora.synthesis.voice import Voice

Signal = NDArray[np.floating]

PAUSE_S = 0.12
"""Seconds of room noise before and after the sentence."""
STRESS = 1.35
"""Factor by which a stressed vowel is longer."""
GLIDE_S = 0.05
"""Seconds over which formants move from phone to phone."""
ATTACK_S = 0.03
"""Seconds over which voicing begins and ends."""
FRICATION = 0.35
"""Amplitude of frication noise, relative to the glottal source."""
HIGHEST_FORMANT_HZ = 7200.0


@dataclass(frozen=True, slots=True)
class _Score:
    """Controls of the vocal tract, one row per frame of 10 ms.

    Attributes:
        formants_hz: ``(frames, 4)``.
        voicing, frication: ``(frames,)`` amplitudes.
        frication_hz: ``(frames, 2)`` centre and width.
        stress: ``(frames,)`` 0 … 1.
    """

    formants_hz: Signal
    voicing: Signal
    frication: Signal
    frication_hz: Signal
    stress: Signal


def synthesise(
    sentence: str, voice: Voice, cues: Cues, sample_rate_hz: int, rng: np.random.Generator
) -> NDArray[np.int16]:
    """One take, ``(samples,)`` int16.

    Args:
        sentence: as in ``SENTENCES``.
        voice: voice of the speaker.
        cues: how the take is spoken.
        sample_rate_hz: sample rate of the result; the vocal tract is designed for 16 kHz.
        rng: random generator for durations, accents, jitter and noise.
    """
    phones = phone_sequence(sentence)
    durations_s = _durations(phones, voice, cues, rng)
    samples = round((sum(durations_s) + 2 * PAUSE_S) * sample_rate_hz)
    hop_s = HOP / sample_rate_hz
    frames_s = np.arange(frame_count(samples)) * hop_s
    score = _score(phones, durations_s, voice, cues, frames_s)
    f0_hz = _f0(score.stress, voice, cues, rng)
    times = np.arange(samples) / HOP
    at_frames = np.arange(len(f0_hz))
    voiced = glottal_source(
        np.interp(times, at_frames, f0_hz),
        np.interp(times, at_frames, score.voicing),
        voice.open_quotient,
        float(np.clip(voice.jitter + cues.jitter, 0.0, 0.04)),
        float(np.clip(voice.breath + cues.breath, 0.005, 0.3)),
        sample_rate_hz,
        rng,
    )
    speech = shape(
        voiced,
        rng.standard_normal(samples),
        score.formants_hz,
        FRICATION * score.frication,
        score.frication_hz,
        voice.tilt_db + cues.tilt_db,
        sample_rate_hz,
    )
    return _record(speech, voice, cues, rng)


def _durations(
    phones: list[tuple[Phone, bool]], voice: Voice, cues: Cues, rng: np.random.Generator
) -> list[float]:
    """Seconds of each phone; a change of rate changes vowels more than consonants."""
    rate = np.log(voice.rate) + cues.rate
    durations_s = []
    for phone, stressed in phones:
        share = 1.25 if phone.is_vowel else 0.75
        spread = np.clip(rng.normal(0.0, 0.1), -0.25, 0.25)
        factor = float(np.exp(spread - share * rate)) * (STRESS if stressed else 1.0)
        durations_s.append(phone.duration_s * factor)
    return durations_s


def _score(
    phones: list[tuple[Phone, bool]],
    durations_s: list[float],
    voice: Voice,
    cues: Cues,
    frames_s: Signal,
) -> _Score:
    hop_s = float(frames_s[1])
    ends_s = PAUSE_S + np.cumsum(durations_s)
    at = np.searchsorted(ends_s, frames_s, side="right")
    spoken = (at < len(phones)) & (frames_s >= PAUSE_S)
    at = np.minimum(at, len(phones) - 1)
    rows = [phone for phone, _ in phones]
    factor = voice.tract * np.exp(cues.formant_shift)
    formants_hz = np.array([phone.formants_hz for phone in rows])[at] * factor
    stress = np.array([float(stressed) for _, stressed in phones])[at] * spoken
    gain = 10.0 ** (max(0.0, 3.0 + cues.level_range_db) * stress / 20.0)
    attack_s = ATTACK_S * float(np.exp(-cues.onset))
    return _Score(
        formants_hz=np.minimum(_smooth(formants_hz, GLIDE_S / hop_s), HIGHEST_FORMANT_HZ),
        voicing=_smooth(np.array([p.voicing for p in rows])[at] * spoken * gain, attack_s / hop_s),
        frication=_smooth(np.array([p.frication for p in rows])[at] * spoken, 1.0),
        frication_hz=np.array([phone.frication_hz for phone in rows])[at],
        stress=_smooth(stress, 8.0),
    )


def _smooth(track: Signal, width: float) -> Signal:
    """Weighted moving average along the frames, a Hann window of about ``width`` frames."""
    reach = max(1, round(width))
    offsets = np.arange(-reach, reach + 1)
    weights = 1.0 + np.cos(np.pi * offsets / (reach + 1))
    weights /= weights.sum()
    padding = ((reach, reach), *((0, 0),) * (track.ndim - 1))
    padded = np.pad(track, padding, mode="edge")
    return sum(
        (weight * padded[start : start + len(track)] for start, weight in enumerate(weights)),
        start=np.zeros_like(track),
    )


def _f0(stress: Signal, voice: Voice, cues: Cues, rng: np.random.Generator) -> Signal:
    """F0 in Hz, ``(frames,)``: declination, accents on stressed vowels, slow drift."""
    position = np.linspace(0.0, 1.0, len(stress))
    span_st = voice.f0_range_st * float(np.exp(cues.f0_range))
    declination = (cues.f0_slope_st - 0.5 * span_st) * (position - 0.5)
    accents = span_st * rng.uniform(0.7, 1.3) * (stress - stress.mean())
    drift = _smooth(rng.normal(0.0, 0.25 * span_st, len(stress)), 12.0)
    semitones = cues.f0_level_st + declination + accents + drift
    return np.clip(voice.f0_hz * 2.0 ** (semitones / 12.0), 55.0, 600.0)


def _record(
    speech: Signal, voice: Voice, cues: Cues, rng: np.random.Generator
) -> NDArray[np.int16]:
    """Set the level, add the room, and round to 16 bits."""
    loudness = float(np.sqrt(np.mean(speech**2)))
    level = 10.0 ** ((voice.level_db + cues.level_db) / 20.0)
    room = 10.0 ** (voice.room_db / 20.0) * rng.standard_normal(len(speech))
    pressure = speech * (level / loudness) + room
    return np.rint(np.clip(pressure, -0.999, 0.999) * 32767.0).astype(np.int16)
