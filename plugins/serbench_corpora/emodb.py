"""The Berlin Database of Emotional Speech."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import ClassVar

from pydantic import BaseModel, Field

from serbench.api import (
    Corpus,
    CorpusCard,
    CorpusError,
    LeftOut,
    Params,
    Source,
    UtteranceRecord,
    audio_below,
)
from serbench_corpora.emodb_names import STEMS
from serbench_corpora.table_rows import shown

URL = "http://emodb.bilderbar.info/download/download.zip"

EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "N": "neutral",
    "T": "sadness",
}
"""Label of each emotion letter in a file name (from the German words Wut, Langeweile, Ekel, Angst,
Freude, neutral, Trauer). They are sorted by label, in the order of posteriors.
"""

STEM = re.compile(
    r"(?P<speaker>\d\d)(?P<text>[ab]\d\d)(?P<emotion>[WLEAFNT])(?P<version>[a-z])", re.ASCII
)

MEN = frozenset({"03", "10", "11", "12", "15"})

SPEAKERS = ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")

CARD = CorpusCard(
    title="Berlin Database of Emotional Speech (EmoDB)",
    language="German",
    licence="CC0-1.0",
    home="http://emodb.bilderbar.info/",
    citation=(
        "F. Burkhardt, A. Paeschke, M. Rolfes, W. F. Sendlmeier, B. Weiss: A database of German "
        "emotional speech. Interspeech 2005, pp. 1517-1520"
    ),
    elicitation="acted",
    labels=tuple(EMOTIONS.values()),
    unit="speaker",
    fold_sets={"paper": tuple(zip(SPEAKERS[::2], SPEAKERS[1::2], strict=True))},
    utterances=535,
    per_label={
        "anger": 127,
        "boredom": 81,
        "disgust": 46,
        "fear": 69,
        "happiness": 71,
        "neutral": 79,
        "sadness": 62,
    },
    per_speaker=dict(zip(SPEAKERS, (49, 58, 43, 38, 55, 35, 61, 69, 56, 71), strict=True)),
    layout="wav/SSTTTEV.wav such as wav/03a01Fa.wav: speaker, text, emotion letter, version",
    names=("EmoDB", "Emo-DB", "Berlin EmoDB", "Berlin Emotional Speech Database"),
)


class EmoDBParams(Params):
    """Settings of EmoDB."""

    url: str = Field(default=URL, pattern="^https?://")
    """Address of the archive; set another one to use a mirror."""


class EmoDB(Corpus):
    """535 utterances of ten actors in seven emotions (Burkhardt et al., Interspeech 2005).

    A folder of the corpus contains ``wav/``, or is that folder itself. The archive at its home has
    no published checksum: it is checked by the counts of the card.
    """

    name: ClassVar[str] = "emodb"
    Params: ClassVar[type[BaseModel]] = EmoDBParams
    params: EmoDBParams

    @property
    def card(self) -> CorpusCard:
        """The card with counts, licence and the paper's folds, which test speakers in pairs."""
        return CARD

    def utterances(self, folder: Path) -> Iterable[UtteranceRecord]:
        """One record per file of ``wav/``; the id is the file's stem.

        Raises:
            CorpusError: there is no ``wav/``, or the name of a file in it does not
                follow the grammar.
        """
        wav = _wav_folder(folder)
        records = {file: _record(file) for file in audio_below(wav).paths}
        foreign = [file.name for file, record in records.items() if record is None]
        if foreign:
            raise CorpusError(
                f"{wav}: not EmoDB file names: {shown(foreign)}; names are {CARD.layout}. "
                "Move them elsewhere"
            )
        return [record for record in records.values() if record is not None]

    def left_out(self, folder: Path) -> Sequence[LeftOut]:
        """Files and folders in ``wav/`` that cannot be read."""
        return audio_below(_wav_folder(folder)).left_out

    def missing(self, records: Sequence[UtteranceRecord]) -> Sequence[str]:
        """Files of the published 535 that ``records`` lack."""
        return [f"{stem}.wav" for stem in sorted(STEMS - {record.id for record in records})]

    def read_name(self, name: str) -> UtteranceRecord | None:
        """Speaker, text and emotion of ``wav/03a01Fa.wav``, ``03a01Fa.wav`` or ``03a01Fa``."""
        path = PurePosixPath(name)
        return _record(path if path.suffix else path.with_suffix(".wav")) if path.name else None

    def sources(self) -> Sequence[Source]:
        """The archive at the corpus's home, which contains wav/ and phonetic labels."""
        return (Source(url=self.params.url, file_name="emodb.zip"),)


def _record(path: PurePath) -> UtteranceRecord | None:
    """The facts in the name of a wav file; None if the name does not follow the grammar."""
    match = STEM.fullmatch(path.stem)
    if match is None or path.suffix.lower() != ".wav":
        return None
    return UtteranceRecord(
        id=path.stem,
        path=Path(path),
        speaker=match["speaker"],
        label=EMOTIONS[match["emotion"]],
        text=match["text"],
        gender="male" if match["speaker"] in MEN else "female",
        take=match["version"],
    )


def _wav_folder(folder: Path) -> Path:
    if (folder / "wav").is_dir():
        return folder / "wav"
    if folder.is_dir() and any(_record(path) for path in folder.iterdir()):
        return folder
    raise CorpusError(
        f"{folder} is not EmoDB: it contains neither a folder wav/ nor EmoDB's files; expected "
        f"{CARD.layout}"
    )
