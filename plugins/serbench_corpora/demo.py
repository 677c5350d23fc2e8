"""A small synthetic corpus, which shows how serbench works. It contains no real emotions."""

from __future__ import annotations

import itertools
import re
import wave
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath, PurePosixPath
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, field_validator

from serbench.api import (
    SAMPLE_RATE_HZ,
    Advance,
    Corpus,
    CorpusCard,
    CorpusError,
    Params,
    UtteranceRecord,
    audio_below,
)
from serbench_corpora.synthesis.cues import EMOTIONS, take_cues
from serbench_corpora.synthesis.phones import SENTENCES
from serbench_corpora.synthesis.utterance import synthesise
from serbench_corpora.synthesis.voice import generator, make_voice

VERSION = 1
"""Increased when the same parameters give other samples."""

STEM = re.compile(
    rf"(?P<speaker>[fm]\d\d)_(?P<emotion>{'|'.join(EMOTIONS)})_(?P<text>s\d)_\d", re.ASCII
)


class DemoParams(Params):
    """Settings of the demo corpus."""

    speakers: int = Field(default=8, ge=4, le=40)
    """Speakers, an even number: half of them female."""
    takes: int = Field(default=2, ge=1, le=5)
    """Takes of each sentence in each emotion by each speaker."""
    seed: int = Field(default=0, ge=0)
    """Seed; another seed gives other speakers."""

    @field_validator("speakers")
    @classmethod
    def _even(cls, speakers: int) -> int:
        if speakers % 2:
            raise ValueError("must be even: half of the speakers are female")
        return speakers


class Demo(Corpus):
    """Deterministic source-filter synthesis of six invented sentences in four emotions.

    A glottal pulse train and noise pass formant resonators; level and range of F0, rate, energy,
    spectral tilt, jitter and breath follow published vocal correlates of emotion (Banse & Scherer,
    JPSP 70, 1996; Juslin & Laukka, Psychological Bulletin 129, 2003). Every speaker uses each cue
    with an individual strength, takes vary, and some are ambiguous, so that classes overlap.
    """

    name: ClassVar[str] = "demo"
    Params: ClassVar[type[BaseModel]] = DemoParams
    params: DemoParams

    @property
    def card(self) -> CorpusCard:
        """The card with counts for these parameters; each fold of ``pairs`` tests a woman
        and a man.
        """
        speakers = self.speakers()
        per_speaker = len(EMOTIONS) * len(SENTENCES) * self.params.takes
        pairs = tuple(zip(speakers[::2], speakers[1::2], strict=True))
        return CorpusCard(
            title=f"serbench demo, synthetic speech, version {VERSION}",
            language="none",
            licence="MIT",
            home="made by serbench itself",
            citation="none: it says nothing about real emotional speech",
            elicitation="synthetic",
            labels=EMOTIONS,
            unit="speaker",
            fold_sets={"pairs": pairs},
            utterances=per_speaker * len(speakers),
            per_label=dict.fromkeys(EMOTIONS, per_speaker * len(speakers) // len(EMOTIONS)),
            per_speaker=dict.fromkeys(speakers, per_speaker),
            layout="SPEAKER_EMOTION_SENTENCE_TAKE.wav such as f01_anger_s1_1.wav",
        )

    def speakers(self) -> tuple[str, ...]:
        """``f01, m01, f02, m02, …``."""
        pairs = range(1, self.params.speakers // 2 + 1)
        return tuple(f"{sex}{number:02d}" for number in pairs for sex in "fm")

    def utterances(self, folder: Path) -> Iterable[UtteranceRecord]:
        """One record per wav file of ``folder``; the id is the file's stem.

        Raises:
            CorpusError: the name of a wav file does not follow the grammar.
        """
        return list(_records(folder))

    def read_name(self, name: str) -> UtteranceRecord | None:
        """Speaker, emotion and sentence of ``f01_anger_s1_1.wav`` or ``f01_anger_s1_1``."""
        path = PurePosixPath(name)
        return _record(path if path.suffix else path.with_suffix(".wav")) if path.name else None

    def build(self, folder: Path, advance: Advance) -> bool:
        """Synthesise every utterance into ``folder``; ``advance`` counts utterances."""
        seed, takes = self.params.seed, range(1, self.params.takes + 1)
        plan = list(itertools.product(self.speakers(), EMOTIONS, SENTENCES, takes))
        for done, (speaker, emotion, text, take) in enumerate(plan, start=1):
            sex: Literal["female", "male"] = "female" if speaker.startswith("f") else "male"
            voice = make_voice(sex, generator("demo", VERSION, seed, speaker))
            rng = generator("demo", VERSION, seed, speaker, emotion, text, take)
            cues = take_cues(emotion, voice.strengths, rng)
            samples = synthesise(SENTENCES[text], voice, cues, SAMPLE_RATE_HZ, rng)
            _write_wav(folder / f"{speaker}_{emotion}_{text}_{take}.wav", samples)
            advance(done, len(plan))
        return True


def _records(folder: Path) -> Iterator[UtteranceRecord]:
    for file in audio_below(folder).paths:
        record = _record(file)
        if record is None:
            raise CorpusError(
                f"{file}: not a file name of the demo corpus; names are "
                "SPEAKER_EMOTION_SENTENCE_TAKE.wav, such as f01_anger_s1_1.wav. Move the file "
                "elsewhere"
            )
        yield record


def _record(path: PurePath) -> UtteranceRecord | None:
    """Speaker, emotion, sentence and take from the name of a wav file; None if the name does not
    match.
    """
    match = STEM.fullmatch(path.stem)
    if match is None or path.suffix.lower() != ".wav":
        return None
    return UtteranceRecord(
        id=path.stem,
        path=Path(path),
        speaker=match["speaker"],
        label=match["emotion"],
        text=match["text"],
    )


def _write_wav(path: Path, samples: NDArray[np.int16]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(samples.astype("<i2").tobytes())
