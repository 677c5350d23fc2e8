"""The checked table of a corpus, which all later modules read instead of files and names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from serbench.api.corpus import CorpusCard, UtteranceRecord


class AudioFile(Protocol):
    """A file that is to be read."""

    @property
    def id(self) -> str:
        """Id that is unique among the files that are read together."""
        ...

    @property
    def path(self) -> Path:
        """Path of the file."""
        ...


class HeardFile(AudioFile, Protocol):
    """A file that was read and is valid, so that it can be compared with others."""

    @property
    def pcm_sha256(self) -> str:
        """``pcm_digest`` of the decoded audio."""
        ...


class Recording(HeardFile, Protocol):
    """Audio for frames and embeddings: an utterance, or a recording of unlabelled audio."""

    @property
    def duration_s(self) -> float:
        """Duration of the recording, in seconds."""
        ...


class Speech(Protocol):
    """Recordings that were all read and are valid: a corpus, or a folder of unlabelled audio."""

    @property
    def utterances(self) -> Sequence[Recording]:
        """The recordings, sorted by id."""
        ...

    @property
    def digest(self) -> str:
        """sha256 of the recordings; the same on every machine."""
        ...


@dataclass(frozen=True, slots=True)
class Utterance:
    """One recording whose audio was read and is valid.

    Attributes:
        id: unique within the corpus.
        path: the audio file, absolute.
        speaker, session, label, text, gender, intensity, take, official: as in
            ``UtteranceRecord``.
        duration_s: duration of the recording, in seconds.
        sample_rate_hz, channels: of the file, before its conversion to 16 kHz mono.
        pcm_sha256: digest of the decoded audio, see ``pcm_digest``.
    """

    id: str
    path: Path
    speaker: str
    session: str | None
    label: str
    text: str | None
    duration_s: float
    sample_rate_hz: int
    channels: int
    pcm_sha256: str
    gender: Literal["female", "male"] | None = None
    intensity: str | None = None
    take: str | None = None
    official: str | None = None


class AudioProperties(Protocol):
    """Properties of a file that are known after it was read."""

    @property
    def duration_s(self) -> float: ...  # noqa: D102

    @property
    def sample_rate_hz(self) -> int: ...  # noqa: D102

    @property
    def channels(self) -> int: ...  # noqa: D102

    @property
    def pcm_sha256(self) -> str: ...  # noqa: D102


def make_utterance(record: UtteranceRecord, heard: AudioProperties) -> Utterance:
    """An utterance, from its record and the facts of its audio file."""
    return Utterance(
        id=record.id,
        path=record.path,
        speaker=record.speaker,
        session=record.session,
        label=record.label,
        text=record.text,
        duration_s=heard.duration_s,
        sample_rate_hz=heard.sample_rate_hz,
        channels=heard.channels,
        pcm_sha256=heard.pcm_sha256,
        gender=record.gender,
        intensity=record.intensity,
        take=record.take,
        official=record.official,
    )


@dataclass(frozen=True)
class CorpusTable:
    """U utterances, sorted by id.

    Attributes:
        name: the dataset's name in the registry.
        card: the corpus's card.
        folder: the folder with the corpus's files.
        utterances: sorted by id.
        digest: sha256 over ids, labels, speakers and PCM digests; the same on every machine.
        incomplete: what the corpus lacks, in sentences, if it was allowed to be incomplete.
        evaluated: the corpus that is tested, if the table has another name.
        whole: the tables of the whole corpora that this table was made of.
        made: how the table was made of whole corpora, in sentences; empty for a corpus as it is.
    """

    name: str
    card: CorpusCard
    folder: Path
    utterances: tuple[Utterance, ...]
    digest: str
    incomplete: tuple[str, ...] = ()
    evaluated: str = ""
    whole: tuple[CorpusTable, ...] = ()
    made: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The C classes, in the order that posteriors use."""
        return self.card.labels

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Utterance ids in the order of ``utterances``."""
        return tuple(utterance.id for utterance in self.utterances)

    @cached_property
    def label_index(self) -> NDArray[np.int64]:
        """``(U,)`` int64, read-only: each utterance's position in ``labels``."""
        position = {label: index for index, label in enumerate(self.labels)}
        index = np.array([position[u.label] for u in self.utterances], dtype=np.int64)
        index.flags.writeable = False
        return index

    @cached_property
    def by_id(self) -> Mapping[str, Utterance]:
        """Utterances by their id."""
        return MappingProxyType({utterance.id: utterance for utterance in self.utterances})

    def unit_of(self, utterance: Utterance) -> str:
        """The unit that folds group this utterance by: its speaker or its session."""
        if self.card.unit == "session":
            assert utterance.session is not None, "load_corpus lets no utterance without one pass"
            return utterance.session
        return utterance.speaker

    @cached_property
    def units(self) -> tuple[str, ...]:
        """All fold units, sorted."""
        return tuple(sorted({self.unit_of(utterance) for utterance in self.utterances}))


def table_digest(utterances: tuple[Utterance, ...]) -> str:
    """sha256 (hex) over ids, labels, speakers and PCM digests, in the order given."""
    rows = [[u.id, u.label, u.speaker, u.pcm_sha256] for u in utterances]
    return hashlib.sha256(json.dumps(rows, ensure_ascii=True).encode()).hexdigest()
