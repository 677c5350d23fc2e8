"""Utterances, sounds and little corpora of one's own making, for surveys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from serbench.api import CorpusCard
from serbench.checks.finding import Finding
from serbench.checks.survey.sound import Sound
from serbench.data.corpus.table import CorpusTable, Utterance
from serbench.results.table.table import Table

RATE_HZ = 16_000

ENTRY = """\
[datasets.tones]
corpus = "files"
folds = "loso"

[datasets.tones.params]
pattern = '(?P<speaker>[a-z]+)_(?P<emotion>ang|neu)_(?P<text>s\\d)_(?P<take>\\d)\\.wav'
labels = { ang = "anger", neu = "neutral" }
text = "{text}"

[datasets.tones.params.card]
title = "Tones"
language = "none"
licence = "mine"
home = "https://example.org"
citation = "me"
elicitation = "synthetic"
layout = "SPEAKER_EMOTION_SENTENCE_TAKE.wav"
utterances = 24
per_label = { anger = 12, neutral = 12 }
"""
"""A corpus of two emotions; see ``write_tones``."""

SPEAKERS = ("ann", "bob", "cay")


def utterance(speaker: str, label: str, number: int = 0, text: str | None = None) -> Utterance:
    name = f"{speaker}-{label}-{text}-{number}"
    return Utterance(
        id=name,
        path=Path(f"{name}.wav"),
        speaker=speaker,
        session=None,
        label=label,
        text=text,
        duration_s=2.0,
        sample_rate_hz=RATE_HZ,
        channels=1,
        pcm_sha256=f"pcm of {name}",
    )


def utterances(counts: Mapping[tuple[str, str], int], text: str | None = None) -> list[Utterance]:
    """So many of each speaker and label."""
    return [
        utterance(speaker, label, number, text)
        for (speaker, label), count in counts.items()
        for number in range(count)
    ]


def table(found: Iterable[Utterance], labels: Sequence[str], **card: object) -> CorpusTable:
    facts = CorpusCard("toy", "none", "CC0", "https://example.org", "", "acted", tuple(labels))
    ordered = tuple(sorted(found, key=lambda u: u.id))
    return CorpusTable("toy", replace(facts, **card), Path(), ordered, "digest")  # pyright: ignore[reportArgumentType]


SOUND = Sound(2.0, RATE_HZ, 1, "pcm", -20.0, -70.0, 0.1, 0.1, 0.0, 0)


def tone(seed: int, seconds: float = 0.6) -> np.ndarray:
    """``(samples,)`` noise of its own, so that no two are copies."""
    return 0.1 * np.random.default_rng(seed).standard_normal(int(seconds * RATE_HZ))


def write_tones(folder: Path) -> Path:
    """Three speakers, two emotions, two sentences, two takes."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [
        f"{speaker}_{emotion}_s{text}_{take}.wav"
        for speaker in SPEAKERS
        for emotion in ("ang", "neu")
        for text in (1, 2)
        for take in (1, 2)
    ]
    for seed, name in enumerate(names):
        soundfile.write(folder / name, tone(seed), RATE_HZ)
    return folder


def unit_names(finding: Finding) -> tuple[str, ...]:
    """What a finding is about."""
    return tuple(unit.name for unit in finding.units)


def cells(table: Table) -> list[tuple[str, ...]]:
    """Its rows as text."""
    return [tuple(cell.text for cell in row) for row in table.rows]
