"""What a corpus plugin declares and yields."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from serbench.api.params import Plugin
from serbench_runtime.audio.folders import LeftOut

Advance = Callable[[int, int], None]
"""``advance(done, total)``: progress of something long, in items of its own choice."""


@dataclass(frozen=True, slots=True)
class UtteranceRecord:
    """One recording as a corpus plugin finds it.

    Examples:
        >>> record = UtteranceRecord("03a01Fa", Path("wav/03a01Fa.wav"), "03", "happiness")
        >>> record.session is None
        True

    Attributes:
        id: unique within the corpus, stable over machines (for instance the file's stem).
        path: the audio file, absolute or relative to the corpus folder.
        speaker: whoever is heard.
        label: one of the card's labels.
        session: recording session, where the corpus has sessions.
        text: id of the spoken sentence, where the corpus is scripted.
        gender: of the speaker.
        intensity, take: where the corpus tells them apart.
        official: the corpus's own split: ``"train"``, ``"validation"``, ``"test"``, or the name of
            the fold that tests it; None where it has none. Told of all utterances or of none.
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
    """What a corpus says of itself; the loader holds the files against it.

    Attributes:
        labels: the classes, in the order that posteriors use.
        unit: what folds group by.
        fold_sets: named outer folds; each fold is the tuple of its test units.
        utterances, per_label, per_speaker: published counts; None or empty where there are none.
        layout: what a folder of it holds, for messages: ``"wav/SSTTTEV.wav, …"``.
        names: what else it is called, for instance where a teacher says what it was trained on.
        made_of: corpora whose recordings it contains.
        different: by ``"speaker"``, ``"session"`` or ``"text"``, names that differ only in case,
            spaces, Unicode form or the spelling of numbers, and are different ones all the same.
            Any other such names stop a run.
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
        file_name: name under which it is kept while it is fetched.
        checksum: ``"md5:…"`` or ``"sha256:…"``; None where none is published.
        size_bytes: published size; None where unknown.
        unpack: extract it (zip or tar) into the corpus folder; otherwise it is copied there.
    """

    url: str
    file_name: str
    checksum: str | None = None
    size_bytes: int | None = None
    unpack: bool = True


class Corpus(Plugin, Protocol):
    """A corpus plugin. Subclass it, and override what applies.

    It is made with its validated ``Params`` and never sees a fold, a teacher or a student.
    """

    aliases: ClassVar[tuple[str, ...]] = ()
    """Other names that commands take for the corpus, each of one corpus only."""

    @property
    @abstractmethod
    def card(self) -> CorpusCard:
        """The corpus's own facts."""
        ...

    @abstractmethod
    def utterances(self, folder: Path) -> Iterable[UtteranceRecord]:
        """Every utterance below ``folder``. Reads names and tables, never audio.

        Raises:
            CorpusError: a name or a table row that the corpus's grammar does not allow.
        """
        ...

    def read_name(self, name: str) -> UtteranceRecord | None:
        """What the corpus's grammar says of a file's name; no file needs to exist.

        For audits of other people's splits, which need speakers. Where it answers, it must agree
        with ``utterances``, but for what names do not tell: an empty label, no session, no text.

        Args:
            name: a path with ``/`` and any leading folders, or a bare stem:
                ``"wav/03a01Fa.wav"``, ``"03a01Fa.wav"``, ``"03a01Fa"``.

        Returns:
            None where the name is of another grammar, or where names do not tell.
        """
        return None

    def missing(self, records: Sequence[UtteranceRecord]) -> Sequence[str]:
        """Names of the files that the whole corpus has and ``records`` lack, where it can tell.

        Asked where counts differ from the card's, so that a message can say which files to fetch.
        """
        return ()

    def left_out(self, folder: Path) -> Sequence[LeftOut]:
        """What ``utterances`` could not look at below ``folder``, as ``audio_below`` tells it.

        A corpus that finds its files with ``audio_below`` answers with ``left_out`` of that.
        """
        return ()

    def sources(self) -> Sequence[Source]:
        """What to download when the user has no copy. Empty: it cannot be downloaded."""
        return ()

    def build(self, folder: Path, advance: Advance) -> bool:
        """Synthesise the corpus into the (new, empty) ``folder``. False: it is not synthetic."""
        return False
