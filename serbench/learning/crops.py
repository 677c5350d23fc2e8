"""Fixed crops of utterances: in training, a student and its teachers receive the same crops.

Without crops, a teacher's input is a whole utterance, and a student's is a random window of it,
louder or softer. A teacher with the same input as the student is "consistent" (Beyer et al.,
*Knowledge distillation: a good teacher is patient and consistent*, CVPR 2022), but a frozen encoder
is too slow to run in every step on a CPU. So a few crops of each utterance are made once, from the
waveform, which every encoder and every front end reads. Their embeddings and frames are cached
like those of any recording.
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

# soxr and soundfile are imported only inside functions, because every command reads recipes.

VERSION = 1
"""Increased whenever the crops that a recipe gives change, so that nothing stale is read."""


@dataclass(frozen=True, slots=True)
class CropRecipe:
    """How crops are made.

    Attributes:
        count: K, the number of crops of each utterance.
        window_s: length of a crop; a shorter utterance is taken whole.
        gain_db: largest change of level, up or down.
        speed: largest change of speed, faster or slower, as a share; pitch changes with it.
    """

    count: int
    window_s: float
    gain_db: float
    speed: float

    @classmethod
    def of(cls, settings: MethodSettings) -> CropRecipe | None:
        """The recipe that a method's settings ask for; None: no crops."""
        own = settings.augment
        if not own.crops:
            return None
        return cls(own.crops, settings.segments.window_s, own.gain_db, own.speed)


@dataclass(frozen=True, slots=True)
class Crop:
    """One crop of a recording; see ``Recording``.

    Its beginning, speed and gain depend only on the audio and on the crop's number. They are the
    same for all runs, methods and seeds.

    Attributes:
        source: the recording; the crop has its id.
        number: the crop's number, from 0.
    """

    source: Recording
    number: int
    recipe: CropRecipe

    @property
    def id(self) -> str:
        """Id of the utterance."""
        return self.source.id

    @property
    def path(self) -> Path:
        """File of the whole recording."""
        return self.source.path

    @property
    def pcm_sha256(self) -> str:
        """Digest of everything that determines the crop's samples, instead of the samples."""
        decides = [VERSION, self.source.pcm_sha256, self.number, astuple(self.recipe)[1:]]
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()

    @property
    def duration_s(self) -> float:
        """Duration of the crop, in seconds."""
        return min(self.source.duration_s / self._draws[0], self.recipe.window_s)

    @property
    def _draws(self) -> tuple[float, float, float]:
        """Speed as a factor, beginning as a share of the possible ones, gain in decibels."""
        seed = f"{VERSION}/{self.source.pcm_sha256}/{self.number}"
        random = np.random.default_rng(int(hashlib.sha256(seed.encode()).hexdigest()[:16], 16))
        speed, place, gain = random.random(3)
        return (
            1.0 + self.recipe.speed * (2.0 * speed - 1.0),
            place,
            self.recipe.gain_db * (2.0 * gain - 1.0),
        )

    def waveform(self) -> Waveform:
        """The crop's ``(samples,)`` at 16 kHz, not clipped if it is louder than full scale.

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
            # Played faster by this factor, the piece becomes shorter by it.
            piece = soxr.resample(piece, speed * SAMPLE_RATE_HZ, SAMPLE_RATE_HZ, quality="HQ")
            piece = piece[: round(self.recipe.window_s * SAMPLE_RATE_HZ)]
        return (piece * np.float32(10.0 ** (gain_db / 20.0))).astype(np.float32)


@dataclass(frozen=True)
class Cropped:
    """One crop of every recording; see ``Speech``."""

    utterances: tuple[Crop, ...]
    digest: str


def crops_of(speech: Speech, recipe: CropRecipe) -> tuple[Cropped, ...]:
    """All crops of a recipe: the first crop of every recording, then the second of every one, …"""
    made: list[Cropped] = []
    for number in range(recipe.count):
        crops = tuple(Crop(each, number, recipe) for each in speech.utterances)
        rows = [[crop.id, crop.pcm_sha256] for crop in crops]
        made.append(Cropped(crops, hashlib.sha256(json.dumps(rows).encode()).hexdigest()))
    return tuple(made)


def heard(recording: Recording) -> Waveform:
    """Audio of a recording, all of it, or of a crop: ``(samples,)`` at 16 kHz.

    Raises:
        CorpusError: as ``read_known``.
    """
    if isinstance(recording, Crop):
        return recording.waveform()
    from serbench_runtime.audio.read import read_known

    return read_known(recording.path, recording.pcm_sha256)
