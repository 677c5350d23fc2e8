"""A corpus with the rows and folds that EmoBox prepared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import ClassVar

from pydantic import BaseModel, field_validator, model_validator

from serbench.api import Corpus, CorpusCard, Params, UtteranceRecord
from serbench_corpora.card import CardParams
from serbench_corpora.emobox_files import read_folds, read_label_map
from serbench_corpora.table_records import (
    GIVEN,
    Problems,
    Recipe,
    Template,
    TemplateText,
    check_labels,
    compiled,
    records,
)
from serbench_corpora.table_rows import Row

COLUMNS = frozenset({"key", "wav", "emo"})
"""Fields that every row has."""


class EmoBoxParams(Params):
    """Where EmoBox's files are, how the speaker is found, and the corpus's card.

    Templates are texts. They may contain a row's ``{key}``, ``{wav}`` and ``{emo}``, groups of
    ``speaker``, and ``{stem}`` and ``{folder}`` of ``wav``.
    """

    speaker: str
    """Regular expression with a group ``speaker``, searched for in a row's ``key`` and then
    in its ``wav``. It is needed because rows do not name the speaker, and folds cannot be
    checked without speakers.
    """
    labels: dict[str, str]
    """Labels by value of ``emo``, or by the value that ``label_map.json`` gives for it."""
    drop: tuple[str, ...] = ()
    """Values of ``emo`` whose rows are left out."""
    metadata: str = "."
    """Folder with ``fold_1`` and ``label_map.json``, such as ``data/emodb`` of EmoBox: below the
    corpus folder, or absolute."""
    audio: TemplateText = "{wav}"
    """Template of the audio file's path below the corpus folder."""
    id: TemplateText = "{stem}"
    """Template of the utterance's id."""
    session: TemplateText = ""
    """Template of the session; empty if there are no sessions."""
    text: TemplateText = ""
    """Template of the sentence's id; empty if it is not known."""
    card: CardParams

    @field_validator("speaker")
    @classmethod
    def _tells(cls, value: str) -> str:
        compiled(value)
        if "speaker" not in re.compile(value).groupindex:
            msg = "the pattern needs a group (?P<speaker>…)"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> EmoBoxParams:
        check_labels(self.labels, self.drop)
        known = COLUMNS | set(re.compile(self.speaker).groupindex) | GIVEN
        for name in ("audio", "id", "session", "text"):
            if unknown := sorted(Template(getattr(self, name)).fields - known):
                msg = f"{name} uses {', '.join(unknown)}; it can use {', '.join(sorted(known))}"
                raise ValueError(msg)
        return self


class EmoBox(Corpus):
    """Rows of EmoBox's fold files (Ma et al., Interspeech 2024), whose folds are ``official``.

    With several folds, the fold of an utterance is the one that tests it. With a single fold,
    it is training, validation or test. Folds with a speaker on both sides are detected when
    they are used.
    """

    name: ClassVar[str] = "emobox"
    Params: ClassVar[type[BaseModel]] = EmoBoxParams
    params: EmoBoxParams

    def __init__(self, params: EmoBoxParams) -> None:
        super().__init__(params)
        self._speaker = re.compile(params.speaker)

    @property
    def card(self) -> CorpusCard:
        """The card of the registry's entry; labels are sorted by name."""
        return self.params.card.card(tuple(sorted(set(self.params.labels.values()))))

    def utterances(self, folder: Path) -> Iterable[UtteranceRecord]:
        """One record per key of the fold files that is not left out.

        Raises:
            CorpusError: there are no fold files, folds contradict each other, or rows lack the
                speaker or the emotion; the message counts and names them.
        """
        metadata = folder / self.params.metadata
        folds = read_folds(metadata)
        official = folds.official()
        problems = Problems()
        rows = list(self._described(folds.rows, official, problems))
        found = records(rows, self._recipe(read_label_map(metadata)), problems)
        problems.check(metadata, self.params.card)
        return found

    def read_name(self, name: str) -> UtteranceRecord | None:
        """The speaker that the pattern finds in a path. This needs ids that are made of
        file names.
        """
        path = PurePosixPath(name)
        match = self._speaker.search(path.as_posix())
        if match is None:
            return None
        told = {**match.groupdict(default=""), "stem": path.stem, "folder": path.parent.name}
        names = [Template(text) for text in (self.params.id, self.params.session, self.params.text)]
        own, session, text = (t.fill(told) if t.fields <= told.keys() else "" for t in names)
        if not own:
            return None
        speaker = match["speaker"]
        return UtteranceRecord(own, Path(path), speaker, "", session or None, text or None)

    def _described(
        self, rows: Mapping[str, Row], official: Mapping[str, str], problems: Problems
    ) -> Iterator[Row]:
        """Rows with the groups that the speaker's pattern finds in them."""
        for key, row in rows.items():
            if {"start_time", "end_time"} & set(row.cells):
                problems.add("rows of parts of audio files, which are not supported", row.where)
                continue
            match = self._speaker.search(key) or self._speaker.search(row.cells["wav"])
            if match is None:
                problems.add(
                    "rows without a speaker: the speaker's pattern matches neither key nor wav",
                    f"{row.where} {key}",
                )
                continue
            wav = PurePosixPath(row.cells["wav"].replace("\\", "/"))
            given = {"stem": wav.stem, "folder": wav.parent.name, "official": official[key]}
            yield Row(row.where, {**row.cells, **match.groupdict(default=""), **given})

    def _recipe(self, label_map: Mapping[str, str]) -> Recipe:
        params = self.params
        merged = {
            emo: params.labels[name] for emo, name in label_map.items() if name in params.labels
        }
        dropped = tuple(emo for emo, name in label_map.items() if name in params.drop)
        return Recipe(
            audio=Template(params.audio),
            id=Template(params.id),
            speaker=Template("{speaker}"),
            label=Template("{emo}"),
            session=Template(params.session),
            text=Template(params.text),
            labels=merged | params.labels,
            drop=(*params.drop, *(emo for emo in dropped if emo not in params.labels)),
            official="official",
        )
