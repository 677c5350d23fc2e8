"""Any corpus whose file names give speaker and emotion, described by a regular
expression and tables.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from string import Formatter
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from serbench.api import (
    AUDIO_ENDINGS,
    Corpus,
    CorpusCard,
    CorpusError,
    LeftOut,
    Params,
    Source,
    UtteranceRecord,
    audio_below,
    plain_name,
)
from serbench_corpora.card import CardParams, SourceParams, spelled_out_keys
from serbench_corpora.grid import absent
from serbench_corpora.table_rows import shown

GIVEN = ("stem", "folder")
"""Names that templates may use in addition to the pattern's groups: the file's stem,
its folder's name.
"""

Gender = Literal["female", "male"]

GENDERS: Mapping[str, Gender] = {"female": "female", "male": "male"}
"""Values of gender that need no table."""

TEMPLATES = ("id", "speaker", "session", "text", "intensity", "take", "gender")

Table = dict[str, str] | Annotated[int, Field(ge=1)]


class FilesParams(Params):
    """The pattern of a corpus's file names, and the corpus's card."""

    pattern: str
    """Regular expression for the path below the corpus folder, with ``/``. It must match the
    whole path, except for folders in front of it. It receives endings in lower case, and
    letters with accents as one character each. It needs the named groups ``emotion`` and all
    that the templates use.
    """
    labels: dict[str, str]
    """The ``emotion`` group's values and their labels; any other value is an error."""
    drop: tuple[str, ...] = ()
    """Values of ``emotion`` whose files are left out."""
    ignore: str = "(?!)"
    """Regular expression over paths of audio files that do not belong to the corpus; none by
    default.
    """
    id: str = "{stem}"
    """Template of the utterance's id. It may use the pattern's groups, ``stem`` and ``folder``."""
    speaker: str = "{speaker}"
    """Template of the speaker."""
    session: str | None = None
    """Template of the session; None: the group of that name, if there is one; empty: there are no
    sessions.
    """
    text: str | None = None
    """Template of the sentence's id."""
    intensity: str | None = None
    """Template of the intensity."""
    take: str | None = None
    """Template of the take."""
    gender: str | None = None
    """Template of the value that ``genders`` maps."""
    genders: dict[str, Gender] = Field(default_factory=dict)
    """Meaning of values of ``gender`` that are not female or male themselves; for all other values
    it is not known. ``01..07`` is a span.
    """
    maps: dict[str, Table] = Field(default_factory=dict)
    """Changes of a group before templates use it. A table replaces values (any other value stays as
    it is; spans are allowed). A number is the count after which a running number restarts: 350
    reads 000351 as 000001.
    """
    grid: bool = False
    """Whether every emotion has one file for each combination of the values of its other groups, so
    that missing files can be named.
    """
    irregular: tuple[str, ...] = ()
    """Names that the pattern reads although their spelling differs from the rest."""
    card: CardParams
    sources: tuple[SourceParams, ...] = ()

    @field_validator("pattern", "ignore")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            msg = f"is not a valid regular expression: {error} in {value}"
            raise ValueError(msg) from error
        return value

    @field_validator("genders")
    @classmethod
    def _gender_spans(cls, value: dict[str, Gender]) -> dict[str, Gender]:
        return spelled_out_keys(value)

    @field_validator("maps")
    @classmethod
    def _map_spans(cls, value: dict[str, Table]) -> dict[str, Table]:
        return {
            group: table if isinstance(table, int) else spelled_out_keys(table)
            for group, table in value.items()
        }

    @model_validator(mode="after")
    def _fits_together(self) -> FilesParams:
        groups = set(re.compile(self.pattern).groupindex)
        if "emotion" not in groups:
            msg = "the pattern needs a group (?P<emotion>…)"
            raise ValueError(msg)
        for name in TEMPLATES:
            used = {field for _, field, _, _ in Formatter().parse(self.template(name)) if field}
            if unknown := sorted(used - groups - {*GIVEN}):
                msg = (
                    f"{name} uses {', '.join(unknown)}; it can use the pattern's groups "
                    f"{', '.join(sorted(groups))}, and {' and '.join(GIVEN)}"
                )
                raise ValueError(msg)
        if unknown := sorted(set(self.maps) - groups):
            msg = (
                f"maps has {', '.join(unknown)}; the pattern has the groups "
                f"{', '.join(sorted(groups))}"
            )
            raise ValueError(msg)
        if both := sorted(set(self.labels) & set(self.drop)):
            msg = f"{', '.join(both)} is in both labels and drop"
            raise ValueError(msg)
        if foreign := [name for name in self.irregular if not re.fullmatch(self.pattern, name)]:
            msg = f"the pattern does not match {', '.join(foreign)} of irregular"
            raise ValueError(msg)
        return self

    def template(self, name: str) -> str:
        """The template called ``name``; if it is None, the group of that name, or an empty text."""
        template: str | None = getattr(self, name)
        if template is not None:
            return template
        return f"{{{name}}}" if name in re.compile(self.pattern).groupindex else ""


class Files(Corpus):
    """A corpus that a registry entry describes, without code of its own.

    Every audio file must fit the pattern or be ignored, so that nothing is misread
    without an error.
    """

    name: ClassVar[str] = "files"
    Params: ClassVar[type[BaseModel]] = FilesParams
    params: FilesParams

    def __init__(self, params: FilesParams) -> None:
        super().__init__(params)
        pattern, ignore = (
            unicodedata.normalize("NFC", each) for each in (params.pattern, params.ignore)
        )
        self._name = re.compile(pattern)
        self._path = re.compile(rf"(?:.*/)?(?:{pattern})")
        self._ignore = re.compile(ignore)
        self._templates = {name: params.template(name) for name in TEMPLATES}

    @property
    def card(self) -> CorpusCard:
        """The card of the registry's entry; labels are sorted by name."""
        return self.params.card.card(tuple(sorted(set(self.params.labels.values()))))

    def utterances(self, folder: Path) -> Iterable[UtteranceRecord]:
        """One record per audio file that fits.

        Raises:
            CorpusError: audio files do not fit, or their emotion has no label; the message counts
                and names them.
        """
        return self.read(self.paths(folder), folder)

    def paths(self, folder: Path) -> list[str]:
        """Paths of all audio files below ``folder``, relative to it."""
        return [*audio_below(folder).names]

    def left_out(self, folder: Path) -> Sequence[LeftOut]:
        """Files and folders that cannot be read, except those that the entry ignores."""
        left_out = audio_below(folder).left_out
        return [each for each in left_out if not self._ignore.fullmatch(plain_name(each.name))]

    def read(self, paths: Iterable[str], folder: Path) -> list[UtteranceRecord]:
        """The facts that names give about ``paths`` below ``folder``. No file is opened or
        has to exist.

        Raises:
            CorpusError: see ``utterances``.
        """
        names = {path: plain_name(path) for path in paths}
        matches = {
            path: self._path.fullmatch(name)
            for path, name in names.items()
            if not self._ignore.fullmatch(name)
        }
        self._check(folder, matches)
        return [
            self._record(path, match.groupdict(default=""))
            for path, match in matches.items()
            if match is not None and match["emotion"] not in self.params.drop
        ]

    def read_name(self, name: str) -> UtteranceRecord | None:
        """The facts that the pattern gives for a path; a name without an ending is
        read as ``.wav``.
        """
        path = name if PurePosixPath(name).suffix.lower() in AUDIO_ENDINGS else f"{name}.wav"
        match = self._path.fullmatch(plain_name(path))
        if match is None or match["emotion"] not in self.params.labels:
            return None
        return self._record(path, match.groupdict(default=""))

    def missing(self, records: Sequence[UtteranceRecord]) -> Sequence[str]:
        """Names of missing files, if the names form a grid and the card has the counts
        of each label.

        A name is only the part that the pattern reads, without the folders in front of it.
        """
        if not self.params.grid:
            return ()
        found: defaultdict[str, list[re.Match[str]]] = defaultdict(list)
        for record in records:
            if match := self._own_name(plain_name(record.path.as_posix())):
                found[match["emotion"]].append(match)
        seen = Counter(
            pair
            for matches in found.values()
            for match in matches
            for pair in match.groupdict().items()
        )
        field = self.params.speaker.removeprefix("{").removesuffix("}")
        plain = field in self._name.groupindex and field not in self.params.maps
        known = {field: self.params.card.speakers} if plain else {}
        irregular = [m for name in self.params.irregular if (m := self._name.fullmatch(name))]
        emotions = Counter(self.params.labels.values())
        counts = {
            emotion: self.params.card.per_label[label]
            for emotion, label in self.params.labels.items()
            if emotions[label] == 1 and label in self.params.card.per_label
        }
        return [
            name
            for emotion, count in counts.items()
            if found[emotion]
            for name in absent(found[emotion], count, seen, known, irregular)
        ]

    def sources(self) -> Sequence[Source]:
        """The sources that the entry names."""
        return tuple(source.source() for source in self.params.sources)

    def _own_name(self, path: str) -> re.Match[str] | None:
        """The match of the pattern in a path; unlike that of ``_path``, it does not include the
        folders in front.
        """
        starts = [found.end() for found in re.finditer("/", path)]
        matches = (self._name.fullmatch(path, start) for start in (*reversed(starts), 0))
        return next((match for match in matches if match), None)

    def _check(self, folder: Path, matches: Mapping[str, re.Match[str] | None]) -> None:
        """
        Raises:
            CorpusError: see ``utterances``.
        """
        foreign = [path for path, match in matches.items() if match is None]
        known = {*self.params.labels, *self.params.drop}
        unlabelled = [
            path for path, match in matches.items() if match and match["emotion"] not in known
        ]
        problems = [
            f"{what} ({len(paths)}): {shown(paths)}"
            for paths, what in (
                (foreign, "audio files whose names do not match the pattern"),
                (
                    unlabelled,
                    (f"audio files with an emotion that is not one of {', '.join(sorted(known))}"),
                ),
            )
            if paths
        ]
        if problems:
            title, layout = self.params.card.title, self.params.card.layout
            raise CorpusError(
                f"{folder} is not {title} as expected ({layout}): {'; '.join(problems)}. Move "
                "these files elsewhere, or give the right folder"
            )

    def _record(self, path: str, groups: Mapping[str, str]) -> UtteranceRecord:
        where = PurePosixPath(plain_name(path))
        given = {**groups, "stem": where.stem, "folder": where.parent.name}
        for group, table in self.params.maps.items():
            given[group] = _mapped(path, group, groups[group], table)
        told = {name: template.format(**given) for name, template in self._templates.items()}
        return UtteranceRecord(
            id=told["id"],
            path=Path(path),
            speaker=told["speaker"],
            label=self.params.labels[groups["emotion"]],
            session=told["session"] or None,
            text=told["text"] or None,
            gender=(self.params.genders.get(told["gender"]) or GENDERS.get(told["gender"])),
            intensity=told["intensity"] or None,
            take=told["take"] or None,
        )


def _mapped(path: str, group: str, value: str, table: Table) -> str:
    """
    Raises:
        CorpusError: the value of a running number is not a number.
    """
    if not isinstance(table, int):
        return table.get(value, value)
    if not value.isdecimal():
        raise CorpusError(f"{path}: {group} is {value!r}, but maps expects a running number")
    return f"{(int(value) - 1) % table + 1:0{len(value)}}"
