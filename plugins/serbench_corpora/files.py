"""Any corpus whose file names say who speaks how: a regular expression and some tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from string import Formatter
from typing import ClassVar

from pydantic import BaseModel, field_validator, model_validator

from serbench.api import Corpus, CorpusCard, CorpusError, Params, Source, UtteranceRecord
from serbench_corpora.card import CardParams, SourceParams

AUDIO = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff"})
"""Endings of files that must fit the pattern or be ignored; others are not looked at."""

SHOWN = 8
"""Names that a message lists before it counts the rest."""

GIVEN = ("stem", "folder")
"""What templates may use besides the pattern's groups: the file's stem, its folder's name."""


class FilesParams(Params):
    """The grammar of a corpus's file names, and what the corpus says of itself."""

    pattern: str
    """Regular expression over the path below the corpus folder, with ``/``. It must fit the whole
    path, but for folders in front of it. Named groups: ``emotion`` and whatever the templates
    use."""
    labels: dict[str, str]
    """The ``emotion`` group's values and their labels; any other value is an error."""
    drop: tuple[str, ...] = ()
    """Values of ``emotion`` whose files are left out."""
    ignore: str = "(?!)"
    """Regular expression over paths of audio files that are none of the corpus's; nothing by
    default."""
    id: str = "{stem}"
    """Template of the utterance's id, of the pattern's groups, ``stem`` and ``folder``."""
    speaker: str = "{speaker}"
    """Likewise, of the speaker."""
    session: str = ""
    """Likewise, of the session; empty where there is none."""
    text: str = ""
    """Likewise, of the sentence's id; empty where it is not known."""
    card: CardParams
    sources: tuple[SourceParams, ...] = ()

    @field_validator("pattern", "ignore")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            msg = f"is no regular expression: {error} in {value}"
            raise ValueError(msg) from error
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> FilesParams:
        groups = set(re.compile(self.pattern).groupindex)
        if "emotion" not in groups:
            msg = "the pattern needs a group (?P<emotion>…)"
            raise ValueError(msg)
        for name in ("id", "speaker", "session", "text"):
            used = {field for _, field, _, _ in Formatter().parse(getattr(self, name)) if field}
            if unknown := sorted(used - groups - {*GIVEN}):
                msg = (
                    f"{name} uses {', '.join(unknown)}; the pattern has the groups "
                    f"{', '.join(sorted(groups))}, and there are {' and '.join(GIVEN)}"
                )
                raise ValueError(msg)
        if both := sorted(set(self.labels) & set(self.drop)):
            msg = f"{', '.join(both)} has a label and is dropped"
            raise ValueError(msg)
        return self


class Files(Corpus):
    """A corpus that is described and not programmed.

    Every audio file must fit the pattern or be ignored, so that nothing is misread in silence.
    """

    name: ClassVar[str] = "files"
    Params: ClassVar[type[BaseModel]] = FilesParams
    params: FilesParams

    def __init__(self, params: FilesParams) -> None:
        super().__init__(params)
        self._pattern = re.compile(rf"(?:.*/)?(?:{params.pattern})")
        self._ignore = re.compile(params.ignore)

    @property
    def card(self) -> CorpusCard:
        """As the registry's entry says; labels are sorted by name."""
        return self.params.card.card(tuple(sorted(set(self.params.labels.values()))))

    def utterances(self, folder: Path) -> Iterable[UtteranceRecord]:
        """One record per audio file that fits.

        Raises:
            CorpusError: audio files that do not fit, or whose emotion has no label; the message
                counts and names them.
        """
        paths = sorted(
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.suffix.lower() in AUDIO and not _hidden(path.relative_to(folder))
        )
        kept = [path for path in paths if not self._ignore.fullmatch(path)]
        matches = {path: self._pattern.fullmatch(path) for path in kept}
        self._check(folder, matches)
        return [
            self._record(path, match.groupdict(default=""))
            for path, match in matches.items()
            if match is not None and match["emotion"] not in self.params.drop
        ]

    def read_name(self, name: str) -> UtteranceRecord | None:
        """What the pattern says of a path; a name without an ending is read as ``.wav``."""
        path = name if PurePosixPath(name).suffix.lower() in AUDIO else f"{name}.wav"
        match = self._pattern.fullmatch(path)
        if match is None or match["emotion"] not in self.params.labels:
            return None
        return self._record(path, match.groupdict(default=""))

    def sources(self) -> Sequence[Source]:
        """What the entry names."""
        return tuple(source.source() for source in self.params.sources)

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
            f"{what} ({len(paths)}): {_shown(paths)}"
            for paths, what in (
                (foreign, "audio with names of another grammar"),
                (unlabelled, f"audio with an emotion that is none of {', '.join(sorted(known))}"),
            )
            if paths
        ]
        if problems:
            title, layout = self.params.card.title, self.params.card.layout
            raise CorpusError(
                f"{folder} is not {title} as expected ({layout}): {'; '.join(problems)}. Move them "
                "elsewhere, or name the right folder"
            )

    def _record(self, path: str, groups: Mapping[str, str]) -> UtteranceRecord:
        where = PurePosixPath(path)
        given = {**groups, "stem": where.stem, "folder": where.parent.name}
        return UtteranceRecord(
            id=self.params.id.format(**given),
            path=Path(path),
            speaker=self.params.speaker.format(**given),
            label=self.params.labels[groups["emotion"]],
            session=self.params.session.format(**given) or None,
            text=self.params.text.format(**given) or None,
        )


def _hidden(path: Path) -> bool:
    """The litter of file browsers and version control; ``__MACOSX`` is an archiver's."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _shown(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(paths[:SHOWN]) + more
