"""The corpus ``tones``: four "speakers", each a pitch, who whistle or hiss."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from pydantic import PositiveInt

from serbench.api import SAMPLE_RATE_HZ, Advance, Corpus, CorpusCard, Params, UtteranceRecord

PITCHES_HZ = {"s1": 220.0, "s2": 330.0, "s3": 440.0, "s4": 550.0}
LABELS = ("tone", "noise")


class TonesParams(Params):
    """How much of it there is."""

    takes: PositiveInt = 3
    """Utterances of each speaker and label."""


class Tones(Corpus):
    """Pure tones and noises of about a second."""

    name = "tones"
    Params = TonesParams
    params: TonesParams

    @property
    def card(self) -> CorpusCard:
        """Four speakers, two labels."""
        per_speaker = dict.fromkeys(PITCHES_HZ, len(LABELS) * self.params.takes)
        return CorpusCard(
            title="Tones and noises",
            language="none",
            licence="CC0-1.0",
            home="https://example.org/tones",
            citation="none",
            elicitation="synthetic",
            labels=LABELS,
            fold_sets={"pairs": (("s1", "s2"), ("s3", "s4"))},
            utterances=sum(per_speaker.values()),
            per_label=dict.fromkeys(LABELS, len(PITCHES_HZ) * self.params.takes),
            per_speaker=per_speaker,
        )

    def utterances(self, folder: Path) -> Iterator[UtteranceRecord]:
        """From names such as ``s1_tone_0.wav``."""
        for path in sorted(folder.glob("*.wav")):
            speaker, label, _ = path.stem.split("_")
            yield UtteranceRecord(path.stem, path.relative_to(folder), speaker, label)

    def build(self, folder: Path, advance: Advance) -> bool:
        """Write every utterance, from one seed."""
        draw = np.random.default_rng(20260101)
        jobs = [
            (s, x, take) for s in PITCHES_HZ for x in LABELS for take in range(self.params.takes)
        ]
        for done, (speaker, label, take) in enumerate(jobs, start=1):
            time_s = np.arange(int(draw.uniform(0.8, 1.2) * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
            noise = draw.standard_normal(time_s.size)
            pitch_hz = PITCHES_HZ[speaker] * draw.uniform(0.95, 1.05)
            tone = np.sin(2 * np.pi * pitch_hz * time_s)
            mixed = 0.2 * tone + 0.02 * noise if label == "tone" else 0.02 * tone + 0.1 * noise
            soundfile.write(folder / f"{speaker}_{label}_{take}.wav", mixed, SAMPLE_RATE_HZ)
            advance(done, len(jobs))
        return True
