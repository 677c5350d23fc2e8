"""Small corpora of real wav files, made in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile

from serbench.api import Corpus, CorpusCard, Params, UtteranceRecord
from serbench.data.corpus.load import load_corpus
from serbench.data.corpus.table import CorpusTable

LABELS = ("high", "low")


class Noise(Corpus):
    """Filtered noise: "high" has more energy at high frequencies than "low"."""

    name = "noise"
    Params = Params

    @property
    def card(self) -> CorpusCard:
        return CorpusCard(
            title="noise", language="none", licence="none", home="", citation="",
            elicitation="synthetic", labels=LABELS,
        )  # fmt: skip

    def utterances(self, folder: Path) -> Iterable[UtteranceRecord]:
        for file in sorted(folder.glob("*.wav")):
            speaker, label, take = file.stem.split("_")
            yield UtteranceRecord(file.stem, file, speaker, label, text=take)


def write_noise(folder: Path, speakers: int, utterances: int, seed: int = 0) -> None:
    """``utterances`` per speaker and label, 0.6 to 1.2 s."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for speaker in range(speakers):
        for label in LABELS:
            for take in range(utterances):
                x = rng.normal(0, 0.1, int(16_000 * rng.uniform(0.6, 1.2)))
                x = np.diff(x, prepend=0.0) if label == "high" else np.cumsum(x) * 0.05
                x = np.clip(x, -1, 1).astype(np.float32)
                soundfile.write(folder / f"s{speaker}_{label}_{take}.wav", x, 16_000)


def noise_table(folder: Path, speakers: int, utterances: int, seed: int = 0) -> CorpusTable:
    """A checked table of such a corpus."""
    write_noise(folder, speakers, utterances, seed)
    return load_corpus(Noise(Params()), "noise", folder, folder.parent / "audio", lambda *_: None)
