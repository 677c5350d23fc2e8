"""The grammar that is guessed from the file names of a corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from serbench.errors import listed

SHOWN = 6
"""Number of values of a part that are shown."""


@dataclass(frozen=True, slots=True)
class NamePart:
    """A named group of the pattern, and its values.

    Attributes:
        values: the distinct values, sorted.
        place: level, start and stop of its pieces, if the group was guessed.
    """

    group: str
    values: tuple[str, ...]
    place: tuple[int, int, int] | None = None

    @property
    def told(self) -> str:
        """The first values, for instance ``01, 02, 03 and 21 more``."""
        return listed(self.values, SHOWN)


@dataclass(frozen=True, slots=True)
class SpeakerCandidate:
    """A part of the names that could be the speaker.

    Attributes:
        template: value for ``--speaker``; empty if only a pattern can name the part.
        counts: number of files for each value.
    """

    template: str
    counts: Mapping[str, int]

    def __str__(self) -> str:
        sizes = sorted(self.counts.values())
        files = f"{sizes[0]} to {sizes[-1]}" if sizes[0] < sizes[-1] else f"{sizes[0]}"
        values = listed(sorted(self.counts), 3)
        return f"{self.template or '--pattern'}: {len(sizes)} values of {files} files ({values})"


@dataclass(frozen=True, slots=True)
class Grammar:
    """How names are read; see the parameters of the ``files`` corpus.

    Attributes:
        pattern: regular expression with named groups; empty if there is no pattern.
        labels: the label of each value of the group ``emotion``.
        unlabelled: values of the group ``emotion`` without a label, sorted.
        drop: values whose files are left out.
        speaker, text, id: templates; empty if unknown.
        ignore: regular expression of names that are left out.
        parts: all groups, in the order of the names.
        speakers: parts that could each be the speaker, if several could.
    """

    pattern: str
    labels: Mapping[str, str]
    unlabelled: tuple[str, ...]
    speaker: str
    text: str
    id: str
    parts: tuple[NamePart, ...]
    drop: tuple[str, ...] = ()
    ignore: str = ""
    speakers: tuple[SpeakerCandidate, ...] = ()

    @property
    def has_emotion(self) -> bool:
        """Whether a group of the pattern is the emotion."""
        return "(?P<emotion>" in self.pattern

    def params(self) -> dict[str, object]:
        """Parameters of the ``files`` corpus, without its card."""
        found: dict[str, object] = {"pattern": self.pattern}
        if self.id != "{stem}":
            found["id"] = self.id
        if self.speaker != "{speaker}":
            found["speaker"] = self.speaker
        if self.text:
            found["text"] = self.text
        if self.drop:
            found["drop"] = list(self.drop)
        if self.ignore:
            found["ignore"] = self.ignore
        return found | {"labels": dict(self.labels)}
