"""Corpus plugins: their cards and their utterances."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from serbench.api.params import Plugin
from serbench_runtime.audio.folders import LeftOut

Advance = Callable[[int, int], None]
"""``advance(done, total)``: progress of a long task, counted in items of the task's choice."""


@dataclass(frozen=True, slots=True)
class UtteranceRecord:
    """One recording as a corpus plugin finds it.

    Examples:
        >>> record = UtteranceRecord("03a01Fa", Path("wav/03a01Fa.wav"), "03", "happiness")
        >>> record.session is None
        True

    Attributes:
        id: unique within the corpus, stable over machines (for instance the file's stem).
        path: the audio file, absolute or relative to the corpus folder. speaker: id of the speaker.
        label: one of the card's labels. session: recording session, if the corpus has sessions.
            text: id of the spoken sentence, if the corpus is scripted.
        gender: of the speaker. intensity, take: if the corpus distinguishes them.
        official: the corpus's own split: ``"train"``, ``"validation"``, ``"test"``, or the name of
            the fold that tests it; None if it has none. Either all utterances have it, or none. If
            there are several test sets, their names begin with ``test``; the main tables use the
            first of them (``"test"``, ``"test2"``, …).
    """

    id: str
    path: Path
    speaker: str
    label: str
    session: str | None = None
    text: str | None = None
    gender: Literal["female", "male"] | None = None
    intensity: str | None = None
    take: str | None = None
    official: str | None = None


@dataclass(frozen=True, slots=True)
class CorpusCard:
    """Facts that a corpus declares about itself; the loader compares the files with them.

    Attributes:
        labels: the classes, in the order that posteriors use.
        unit: folds keep the utterances of one unit together: ``"speaker"`` or ``"session"``.
        fold_sets: named outer folds; each fold is the tuple of its test units.
        utterances, per_label, per_speaker: published counts; None or empty if none are published.
        layout: content of a folder with the corpus, for messages: ``"wav/SSTTTEV.wav, …"``.
        names: other names of the corpus, for instance in a teacher's list of training data.
        made_of: corpora whose recordings it contains.
        different: by ``"speaker"``, ``"session"`` or ``"text"``, names that differ only in case,
            spaces, Unicode form or the spelling of numbers, but mean different things. Other names
            that differ only in these ways stop a run.
    """

    title: str
    language: str
    licence: str
    home: str
    citation: str
    elicitation: Literal["acted", "induced", "natural", "synthetic"]
    labels: tuple[str, ...]
    unit: Literal["speaker", "session"] = "speaker"
    fold_sets: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    utterances: int | None = None
    per_label: Mapping[str, int] = field(default_factory=dict)
    per_speaker: Mapping[str, int] = field(default_factory=dict)
    layout: str = ""
    names: tuple[str, ...] = ()
    made_of: tuple[str, ...] = ()
    different: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """One archive or file to download from the corpus's own home.

    Attributes:
        url: http or https.
        file_name: file name of the download.
        checksum: ``"md5:…"`` or ``"sha256:…"``; None if none is published.
        size_bytes: published size; None if unknown.
        unpack: extract it (zip or tar) into the corpus folder; otherwise it is copied there.
    """

    url: str
    file_name: str
    checksum: str | None = None
    size_bytes: int | None = None
    unpack: bool = True


class Corpus(Plugin, Protocol):
    """A corpus plugin. Subclass it, and override the methods that apply.

    It is constructed with its validated ``Params``, and never sees a fold, a teacher or a student.
    """

    aliases: ClassVar[tuple[str, ...]] = ()
    """Other names that commands accept for the corpus; each belongs to one corpus only."""

    @property
    @abstractmethod
    def card(self) -> CorpusCard:
        """The corpus's facts about itself."""
        ...

    @abstractmethod
    def utterances(self, folder: Path) -> Iterable[UtteranceRecord]:
        """Every utterance below ``folder``. Reads names and tables, never audio.

        Raises:
            CorpusError: a name or a table row does not fit the corpus's grammar.
        """
        ...

    def read_name(self, name: str) -> UtteranceRecord | None:
        """Parse a file name by the corpus's grammar; the file need not exist.

        Audits of other people's splits need it to find speakers. It must agree with ``utterances``,
        except for facts that names do not contain: an empty label, no session, no text.

        Args:
            name: a path with ``/`` and any leading folders, or a bare stem: ``"wav/03a01Fa.wav"``,
                ``"03a01Fa.wav"``, ``"03a01Fa"``.

        Returns:
            None if the name follows another grammar, or if names do not contain the facts.
        """
        return None

    def missing(self, records: Sequence[UtteranceRecord]) -> Sequence[str]:
        """Names of files that the whole corpus has but ``records`` lacks, if they are known.

        It is called if counts differ from the card's; the message then names the files to download.
        """
        return ()

    def left_out(self, folder: Path) -> Sequence[LeftOut]:
        """Files and folders below ``folder`` that ``utterances`` could not read.

        A corpus that finds its files with ``audio_below`` returns the ``left_out`` of its result.
        """
        return ()

    def sources(self) -> Sequence[Source]:
        """Downloads for users without a copy. Empty: the corpus cannot be downloaded."""
        return ()

    def build(self, folder: Path, advance: Advance) -> bool:
        """Synthesise the corpus into ``folder``, which is new and empty. False: it is not
        synthetic.
        """
        return False
