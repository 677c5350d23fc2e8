"""Fixed crops of utterances: what a student and its teachers both hear in training.

Teachers speak of whole utterances, and a student hears a random window of one, louder or softer. A
teacher that hears the same is "consistent" (Beyer et al., *Knowledge distillation: a good teacher
is patient and consistent*, CVPR 2022), but a frozen encoder is too slow to run in every step on a
processor. So a few crops of each utterance are made once, from the waveform, which every encoder
and every front end reads; their embeddings and frames are kept like those of any recording.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from serbench.data.corpus.table import Recording, Speech
from serbench.settings import MethodSettings
from serbench_runtime.waveform import SAMPLE_RATE_HZ, Waveform

# soxr and soundfile are imported where they are used: every command reads recipes.

VERSION = 1
"""Raised whenever the crops that a recipe gives change, so that nothing stale is read."""


@dataclass(frozen=True, slots=True)
class CropRecipe:
    """How crops are made.

    Attributes:
        count: K, of each utterance.
        window_s: of a crop; a shorter utterance is taken whole.
        gain_db: largest change of level, either way.
        speed: largest change of speed, either way, as a share; pitch goes with it.
    """

    count: int
    window_s: float
    gain_db: float
    speed: float

    @classmethod
    def of(cls, settings: MethodSettings) -> CropRecipe | None:
        """What a method's settings ask for; None: no crops."""
        own = settings.augment
        if not own.crops:
            return None
        return cls(own.crops, settings.segments.window_s, own.gain_db, own.speed)


@dataclass(frozen=True, slots=True)
class Crop:
    """One crop of a recording; see ``Recording``.

    Where it begins, its speed and its gain are drawn from the audio and its number alone: the same
    for all runs, methods and seeds.

    Attributes:
        source: the recording; the crop has its id.
        number: from 0.
    """

    source: Recording
    number: int
    recipe: CropRecipe

    @property
    def id(self) -> str:
        """Of the utterance."""
        return self.source.id

    @property
    def path(self) -> Path:
        """Of the whole recording."""
        return self.source.path

    @property
    def pcm_sha256(self) -> str:
        """In place of a digest of its samples, one of all that decides them."""
        decides = [VERSION, self.source.pcm_sha256, self.number, astuple(self.recipe)[1:]]
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()

    @property
    def duration_s(self) -> float:
        """Of the crop, in seconds."""
        return min(self.source.duration_s / self._draws[0], self.recipe.window_s)

    @property
    def _draws(self) -> tuple[float, float, float]:
        """Speed as a factor, the share of the places where it may begin, gain in decibels."""
        seed = f"{VERSION}/{self.source.pcm_sha256}/{self.number}"
        random = np.random.default_rng(int(hashlib.sha256(seed.encode()).hexdigest()[:16], 16))
        speed, place, gain = random.random(3)
        return (
            1.0 + self.recipe.speed * (2.0 * speed - 1.0),
            place,
            self.recipe.gain_db * (2.0 * gain - 1.0),
        )

    def waveform(self) -> Waveform:
        """``(samples,)`` at 16 kHz, not clipped where it is louder than full scale.

        Raises:
            CorpusError: as ``read_known``.
        """
        import soxr

        from serbench_runtime.audio.read import read_known

        whole = read_known(self.source.path, self.source.pcm_sha256)
        speed, place, gain_db = self._draws
        size = round(self.recipe.window_s * speed * SAMPLE_RATE_HZ)
        first = int(place * (max(len(whole) - size, 0) + 1))
        piece = whole[first : first + size]
        if self.recipe.speed:
            # Read faster by this factor, it lasts as much shorter.
            piece = soxr.resample(piece, speed * SAMPLE_RATE_HZ, SAMPLE_RATE_HZ, quality="HQ")
            piece = piece[: round(self.recipe.window_s * SAMPLE_RATE_HZ)]
        return (piece * np.float32(10.0 ** (gain_db / 20.0))).astype(np.float32)


@dataclass(frozen=True)
class Cropped:
    """One crop of every recording; see ``Speech``."""

    utterances: tuple[Crop, ...]
    digest: str


def crops_of(speech: Speech, recipe: CropRecipe) -> tuple[Cropped, ...]:
    """All crops of a recipe, the first of every recording, the second of every one, …"""
    made: list[Cropped] = []
    for number in range(recipe.count):
        crops = tuple(Crop(each, number, recipe) for each in speech.utterances)
        rows = [[crop.id, crop.pcm_sha256] for crop in crops]
        made.append(Cropped(crops, hashlib.sha256(json.dumps(rows).encode()).hexdigest()))
    return tuple(made)


def heard(recording: Recording) -> Waveform:
    """What is heard of a recording, ``(samples,)`` at 16 kHz: all of it, or a crop.

    Raises:
        CorpusError: as ``read_known``.
    """
    if isinstance(recording, Crop):
        return recording.waveform()
    from serbench_runtime.audio.read import read_known

    return read_known(recording.path, recording.pcm_sha256)
