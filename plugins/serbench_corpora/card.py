"""A corpus's card and sources, as they are written in a registry entry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import Field, field_validator, model_validator

from serbench.api import CorpusCard, Params, Source

SPAN = re.compile(r"(?P<prefix>\D*?)(?P<first>\d+)\.\.(?P=prefix)(?P<last>\d+)")
"""Pattern of spans such as ``01..24`` or ``F_01..F_10``; all numbers have as many digits as the
first one.
"""

Count = Annotated[int, Field(ge=1)]

Value = TypeVar("Value")


class CardParams(Params):
    """A corpus's description; see ``serbench.api.CorpusCard``."""

    title: str
    language: str
    licence: str
    home: str
    citation: str
    elicitation: Literal["acted", "induced", "natural", "synthetic"]
    layout: str
    """Description of what a folder of the corpus contains; shown in messages."""
    get: str = ""
    """How to get the corpus if it cannot be downloaded; also shown in messages."""
    unit: Literal["speaker", "session"] = "speaker"
    """The unit of folds."""
    speakers: tuple[str, ...] = ()
    """All speakers; ``01..24`` is a span."""
    utterances: Count | None = None
    """Published numbers of utterances, here and in the next fields; numbers that are not published
    are left out.
    """
    per_label: dict[str, Count] = Field(default_factory=dict)
    per_speaker: dict[str, Count] | Count = Field(default_factory=dict)
    """Utterances by speaker or span of speakers, or one number for each of ``speakers``."""
    fold_sets: dict[str, tuple[tuple[str, ...], ...]] = Field(default_factory=dict)
    """Named outer folds, as the test units of each fold; spans are allowed."""
    names: tuple[str, ...] = ()
    made_of: tuple[str, ...] = ()
    different: dict[Literal["speaker", "session", "text"], tuple[str, ...]] = Field(
        default_factory=dict, exclude_if=lambda value: not value
    )
    """Names that differ only in case, spaces, Unicode form or the spelling of numbers, but mean
    different things. Any other such names stop a run.
    """

    @field_validator("speakers")
    @classmethod
    def _spans(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return spelled_out(value)

    @field_validator("per_speaker")
    @classmethod
    def _speaker_spans(cls, value: dict[str, int] | int) -> dict[str, int] | int:
        return value if isinstance(value, int) else spelled_out_keys(value)

    @field_validator("fold_sets")
    @classmethod
    def _fold_spans(
        cls, value: dict[str, tuple[tuple[str, ...], ...]]
    ) -> dict[str, tuple[tuple[str, ...], ...]]:
        return {name: tuple(map(spelled_out, folds)) for name, folds in value.items()}

    @model_validator(mode="after")
    def _adds_up(self) -> CardParams:
        if isinstance(self.per_speaker, int) and not self.speakers:
            msg = "per_speaker is one number for each speaker, but speakers is empty"
            raise ValueError(msg)
        for name, counts in (("per_label", self.per_label), ("per_speaker", self.counts)):
            if counts and self.utterances is not None and sum(counts.values()) != self.utterances:
                msg = f"{name} adds up to {sum(counts.values())}, but utterances is"
                msg += f" {self.utterances}"
                raise ValueError(msg)
        return self

    @property
    def counts(self) -> dict[str, int]:
        """Number of utterances of each speaker; empty if the numbers are not published."""
        if isinstance(self.per_speaker, int):
            return dict.fromkeys(self.speakers, self.per_speaker)
        return dict(self.per_speaker)

    def card(self, labels: tuple[str, ...]) -> CorpusCard:
        """The card of a corpus with these classes."""
        return CorpusCard(
            title=self.title,
            language=self.language,
            licence=self.licence,
            home=self.home,
            citation=self.citation,
            elicitation=self.elicitation,
            labels=labels,
            unit=self.unit,
            fold_sets=self.fold_sets,
            utterances=self.utterances,
            per_label=self.per_label,
            per_speaker=self.counts,
            layout=f"{self.layout}. {self.get}" if self.get else self.layout,
            names=self.names,
            made_of=self.made_of,
            different={str(kind): names for kind, names in self.different.items()},
        )


class SourceParams(Params):
    """An archive or a file to download; see ``serbench.api.Source``."""

    url: str = Field(pattern="^https?://")
    file_name: str
    checksum: str | None = Field(default=None, pattern="^(md5|sha256):[0-9a-f]+$")
    size_bytes: Count | None = None
    unpack: bool = True

    def source(self) -> Source:
        """The source in the form that the loader needs."""
        return Source(self.url, self.file_name, self.checksum, self.size_bytes, self.unpack)


def spelled_out(names: Iterable[str]) -> tuple[str, ...]:
    """The names with spans replaced by their members: ``01..03`` becomes ``01``, ``02``, ``03``.

    Raises:
        ValueError: a span has a last number below the first.
    """
    found: list[str] = []
    for name in names:
        match = SPAN.fullmatch(name)
        if match is None:
            found.append(name)
            continue
        first, last = int(match["first"]), int(match["last"])
        if last < first:
            msg = f"the span {name} runs backwards"
            raise ValueError(msg)
        width = len(match["first"])
        found += [f"{match['prefix']}{number:0{width}}" for number in range(first, last + 1)]
    return tuple(found)


def spelled_out_keys(table: Mapping[str, Value]) -> dict[str, Value]:
    """The table with a separate entry for every member of a span.

    Raises:
        ValueError: a span has a last number below the first, or a name has two entries.
    """
    found: dict[str, Value] = {}
    for key, value in table.items():
        for name in spelled_out((key,)):
            if name in found:
                msg = f"{name} has two entries"
                raise ValueError(msg)
            found[name] = value
    return found
