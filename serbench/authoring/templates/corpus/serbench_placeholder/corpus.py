"""The corpus ``placeholder``: its card, and the grammar of its file names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from serbench.api import (
    Corpus,
    CorpusCard,
    CorpusError,
    LeftOut,
    Params,
    UtteranceRecord,
    audio_below,
    plain_name,
)

# TODO: replace these by your labels and by the pattern of your file names.
LABELS = {"A": "anger", "H": "happiness", "N": "neutral", "S": "sadness"}
LAYOUT = "SPEAKER_EMOTION_TAKE.wav, such as s01_A_1.wav"
NAME = re.compile(r"(?P<speaker>s\d+)_(?P<emotion>[AHNS])_(?P<take>\d+)")

CARD = CorpusCard(
    title="Placeholder",
    language="the language that is spoken",
    licence="the licence of the recordings",
    home="where to get the corpus",
    citation="who published the corpus, and where",
    elicitation="acted",
    labels=tuple(LABELS.values()),
    layout=LAYOUT,
)
"""If published counts (``utterances``, ``per_label``, ``per_speaker``) are given, copies are
checked.
"""


class PlaceholderParams(Params):
    """Parameters of a registry entry; this corpus has none."""


class Placeholder(Corpus):
    """A corpus with speaker and emotion in its file names. It reads names, never audio."""

    name = "placeholder"
    Params = PlaceholderParams
    params: PlaceholderParams

    @property
    def card(self) -> CorpusCard:
        """Its card."""
        return CARD

    def utterances(self, folder: Path) -> Iterator[UtteranceRecord]:
        """Every utterance below a folder.

        Raises:
            CorpusError: a file name does not fit.
        """
        for path in audio_below(folder).paths:
            record = self.read_name(path.name)
            if record is None:
                raise CorpusError(f"{path}: names are {LAYOUT}; move other files elsewhere")
            yield replace(record, path=path.relative_to(folder))

    def read_name(self, name: str) -> UtteranceRecord | None:
        """Speaker and emotion of ``s01_A_1.wav``; None if a name follows another grammar."""
        path = PurePosixPath(plain_name(name))
        match = NAME.fullmatch(path.stem)
        if match is None:
            return None
        label = LABELS[match["emotion"]]
        return UtteranceRecord(path.stem, Path(path), match["speaker"], label, take=match["take"])

    def left_out(self, folder: Path) -> Sequence[LeftOut]:
        """Files and folders below a folder that could not be read, so that they are reported."""
        return audio_below(folder).left_out
