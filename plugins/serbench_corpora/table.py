"""Any corpus that a table describes: CSV, TSV, JSON Lines or Parquet with named columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import ClassVar

from pydantic import BaseModel, Field, field_validator, model_validator

from serbench.api import (
    AUDIO_ENDINGS,
    Corpus,
    CorpusCard,
    CorpusError,
    Params,
    Source,
    UtteranceRecord,
    is_hidden,
)
from serbench_corpora.card import CardParams, SourceParams
from serbench_corpora.table_records import (
    GIVEN,
    Gender,
    Problems,
    Recipe,
    Template,
    TemplateText,
    check_labels,
    compiled,
    describe,
    records,
)
from serbench_corpora.table_rows import FORMATS, Row, read_rows, shown


class OfficialParams(Params):
    """The corpus's own split, from a column."""

    column: str
    values: dict[str, str] = Field(default_factory=dict)
    """Meaning of the column's values: train, validation, test, or the fold that tests the row.
    Empty: the values are the names of folds.
    """


class TableParams(Params):
    """The table, the meaning of its columns, and the corpus's card.

    Templates are texts that may contain ``{columns}``, and ``{stem}`` and ``{folder}`` of
    the audio file.
    """

    table: str | tuple[str, ...]
    """Path of the table below the corpus folder; ``*`` stands for several tables. Several paths may
    be given.
    """
    audio: TemplateText
    """Template of the audio file's path, relative to the same folder as ``table``."""
    speaker: TemplateText
    """Template of the speaker."""
    label: TemplateText
    """Template of the value that ``labels`` looks up."""
    labels: dict[str, str]
    """Values of ``label`` and their labels; any other value is an error."""
    drop: tuple[str, ...] = ()
    """Values of ``label`` whose rows are left out."""
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Only rows with one of these values in these columns are kept."""
    unknown_speakers: tuple[str, ...] = ()
    """Values of ``speaker`` whose rows are left out, because their side cannot be determined."""
    pattern: str = ""
    """Regular expression that matches the audio file's path, except for folders in front of it. Its
    groups may be used like columns, and must agree with columns of the same name.
    """
    id: TemplateText = "{stem}"
    """Template of the utterance's id."""
    session: TemplateText = ""
    """Template of the session; empty if there are no sessions."""
    text: TemplateText = ""
    """Template of the sentence's id; empty if it is not known."""
    gender: TemplateText = ""
    """Template of the speaker's gender."""
    genders: dict[str, Gender] = Field(default_factory=dict)
    """Meaning of values of ``gender`` other than female, f, male and m: female, male, or empty if
    it is not known.
    """
    intensity: TemplateText = ""
    """Template of the intensity."""
    take: TemplateText = ""
    """Template of the take."""
    official: OfficialParams | None = None
    card: CardParams
    sources: tuple[SourceParams, ...] = ()

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        compiled(value)
        return value

    @field_validator("table")
    @classmethod
    def _below(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        names = (value,) if isinstance(value, str) else value
        for path in map(PurePosixPath, names):
            if path.is_absolute() or ".." in path.parts or not path.name:
                msg = f"must be a path inside the corpus folder, not {path}"
                raise ValueError(msg)
        if not names:
            msg = "names no table"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> TableParams:
        check_labels(self.labels, self.drop)
        return self

    @property
    def tables(self) -> tuple[str, ...]:
        """One or several paths of tables."""
        return (self.table,) if isinstance(self.table, str) else self.table

    @property
    def recipe(self) -> Recipe:
        """How a row becomes an utterance."""
        return Recipe(
            audio=Template(self.audio),
            pattern=compiled(self.pattern) if self.pattern else None,
            id=Template(self.id),
            speaker=Template(self.speaker),
            label=Template(self.label),
            session=Template(self.session),
            text=Template(self.text),
            gender=Template(self.gender),
            intensity=Template(self.intensity),
            take=Template(self.take),
            labels=self.labels,
            drop=self.drop,
            genders=self.genders,
            where=self.where,
            unknown_speakers=self.unknown_speakers,
            official=self.official.column if self.official else "",
            sides=self.official.values if self.official else {},
        )


class Table(Corpus):
    """A corpus that a registry entry describes, without code of its own.

    Every row must be understood or be left out explicitly, so that nothing is misread without an
    error. Audio files that are in no row are ignored.
    """

    name: ClassVar[str] = "table"
    Params: ClassVar[type[BaseModel]] = TableParams
    params: TableParams

    def __init__(self, params: TableParams) -> None:
        super().__init__(params)
        self._recipe = params.recipe

    @property
    def card(self) -> CorpusCard:
        """The card of the registry's entry; labels are sorted by name."""
        return self.params.card.card(tuple(sorted(set(self.params.labels.values()))))

    def utterances(self, folder: Path) -> Iterable[UtteranceRecord]:
        """One record per row that is not left out.

        Raises:
            CorpusError: there is no table, it cannot be read or lacks a column, or rows have
                an empty cell, an unknown value or the id of another row; the message counts
                and names them.
        """
        root, tables = self._find(folder)
        problems = Problems()
        found = records(self._rows(root, tables), self._recipe, problems)
        problems.check(folder, self.params.card)
        if root == folder:
            return found
        below = root.relative_to(folder)
        return [_below(below, record) for record in found]

    def read_name(self, name: str) -> UtteranceRecord | None:
        """The facts that the pattern gives for a path, if its groups contain id and speaker; a name
        without an ending is read as ``.wav``.
        """
        recipe = self._recipe
        if recipe.pattern is None or not self._told(recipe.id, recipe.speaker):
            return None
        path = name if PurePosixPath(name).suffix.lower() in AUDIO_ENDINGS else f"{name}.wav"
        cells = describe(path, {}, recipe)
        if cells is None or recipe.speaker.fill(cells) in recipe.unknown_speakers:
            return None
        label = recipe.label.fill(cells) if self._told(recipe.label) else ""
        if label and label not in recipe.labels:
            return None
        return UtteranceRecord(
            id=recipe.id.fill(cells),
            path=Path(path),
            speaker=recipe.speaker.fill(cells),
            label=recipe.labels[label] if label else "",
            session=recipe.session.fill(cells) or None if self._told(recipe.session) else None,
            text=recipe.text.fill(cells) or None if self._told(recipe.text) else None,
        )

    def sources(self) -> Sequence[Source]:
        """The sources that the entry names."""
        return tuple(source.source() for source in self.params.sources)

    def _told(self, *templates: Template) -> bool:
        """Whether these templates use nothing but the audio file's path."""
        used = {name for template in templates for name in template.fields}
        return used <= self._recipe.groups | GIVEN

    def _rows(self, root: Path, tables: Sequence[Path]) -> Iterable[Row]:
        for path in tables:
            name = path.relative_to(root).as_posix()
            # Columns with the name of a group of the pattern are also read, and compared with the
            # group.
            yield from read_rows(path, name, self._recipe.columns, self._recipe.groups)

    def _find(self, folder: Path) -> tuple[Path, list[Path]]:
        """The folder that paths are relative to, and the tables.

        Raises:
            CorpusError: a table is missing, or is in several folders.
        """
        roots = [folder] if self._tables(folder) else self._folders_with_tables(folder)
        title, named = self.params.card.title, shown(self.params.tables)
        if not roots:
            raise CorpusError(
                f"{folder} is not {title} as expected ({self.params.card.layout}): {named} is "
                f"missing; {_content(folder)}"
            )
        if len(roots) > 1:
            raise CorpusError(
                f"{folder} has {named} in several folders: "
                f"{shown([root.name for root in roots])}; give one of them"
            )
        return roots[0], self._tables(roots[0])

    def _folders_with_tables(self, folder: Path) -> list[Path]:
        """Subfolders that contain the tables: an archive often contains one folder with everything
        in it.
        """
        return [path for path in sorted(folder.iterdir()) if self._is_root(path)]

    def _is_root(self, path: Path) -> bool:
        return path.is_dir() and not is_hidden(path.name) and bool(self._tables(path))

    def _tables(self, root: Path) -> list[Path]:
        """All tables below ``root``; empty if one of the named tables is missing."""
        found = [
            [path for path in root.glob(pattern) if path.is_file() and not is_hidden(path.name)]
            for pattern in self.params.tables
        ]
        return sorted({path for paths in found for path in paths}) if all(found) else []


def _below(folder: Path, record: UtteranceRecord) -> UtteranceRecord:
    return replace(record, path=folder / record.path)


def _content(folder: Path) -> str:
    """Description of what a folder contains instead of the table that was searched for."""
    tables = [p for p in folder.rglob("*") if p.suffix.lower() in FORMATS]
    if tables:
        return f"its tables are {shown(sorted(p.relative_to(folder).as_posix() for p in tables))}"
    names = sorted(path.name for path in folder.iterdir() if not is_hidden(path.name))
    return f"it contains {shown(names) or 'nothing'}"
