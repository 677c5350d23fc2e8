"""Any corpus in the audformat layout, from a folder or by name through audb."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, Field, model_validator

from serbench.api import Advance, Corpus, CorpusCard, CorpusError, Params, UtteranceRecord
from serbench_corpora.audformat_files import Annotations, imported, opened, quiet
from serbench_corpora.card import CardParams
from serbench_corpora.table_records import (
    GIVEN,
    Gender,
    Problems,
    Recipe,
    Template,
    TemplateText,
    check_labels,
    records,
)
from serbench_corpora.table_rows import Row

COLUMNS = ("file", "emotion", "speaker", "text", "gender")
"""Fields of a row, which templates may use."""

SPLIT = "split"


class AudformatParams(Params):
    """The columns of a database to read, and the corpus's card.

    A column is ``table.column``, for instance ``files.speaker``.
    """

    emotion: str | tuple[str, ...]
    """Column of the emotion, or several columns with the emotion of different files."""
    speaker: str
    """Column of the speaker."""
    labels: dict[str, str]
    """Values of ``emotion`` and their labels; any other value is an error."""
    drop: tuple[str, ...] = ()
    """Values of ``emotion`` whose files are left out."""
    text: str = ""
    """Column of the sentence; empty if it is not known."""
    gender: str = ""
    """Column of the speaker's gender, or the name of this label in the scheme of the speaker."""
    genders: dict[str, Gender] = Field(default_factory=dict)
    """Meaning of values of ``gender`` other than female, f, male and m: female, male, or empty if
    it is not known.
    """
    splits: dict[str, str] = Field(default_factory=dict)
    """The corpus's own split: names of tables, or of the database's splits, and the use of their
    files: train, validation, test, or the fold that tests them.
    """
    id: TemplateText = "{stem}"
    """Template of the utterance's id. It may use ``file``, its ``stem`` and ``folder``, and the
    other fields.
    """
    database: str = ""
    """Name of the database in audb, from which it is downloaded if there is no copy; empty: it is
    not downloaded.
    """
    version: str = ""
    """Version of the database in audb."""
    card: CardParams

    @model_validator(mode="after")
    def _fits_together(self) -> AudformatParams:
        check_labels(self.labels, self.drop)
        if bool(self.database) != bool(self.version):
            msg = (
                "database and version belong together: only with both does everybody get the "
                "same data"
            )
            raise ValueError(msg)
        known = {*COLUMNS, *GIVEN}
        if unknown := sorted(Template(self.id).fields - known):
            msg = f"id uses {', '.join(unknown)}; it can use {', '.join(sorted(known))}"
            raise ValueError(msg)
        return self

    @property
    def recipe(self) -> Recipe:
        """How a row with the fields ``COLUMNS`` becomes an utterance."""
        return Recipe(
            audio=Template("{file}"),
            id=Template(self.id),
            speaker=Template("{speaker}"),
            label=Template("{emotion}"),
            text=Template("{text}"),
            gender=Template("{gender}"),
            labels=self.labels,
            drop=self.drop,
            genders=self.genders,
            official=SPLIT if self.splits else "",
        )


class Audformat(Corpus):
    """A database in audEERING's audformat: ``db.yaml`` with tables, and audio.

    A copy of it may be in any folder. With ``database`` and ``version``, it is downloaded through
    audb (Wierstorf et al., 2023), from the repositories that audb is configured for.
    """

    name: ClassVar[str] = "audformat"
    Params: ClassVar[type[BaseModel]] = AudformatParams
    params: AudformatParams

    @property
    def card(self) -> CorpusCard:
        """The card of the registry's entry; labels are sorted by name."""
        return self.params.card.card(tuple(sorted(set(self.params.labels.values()))))

    def utterances(self, folder: Path) -> Iterable[UtteranceRecord]:
        """One record per file with an emotion that is not left out.

        Raises:
            PluginError: audformat is not installed.
            CorpusError: there is no database, it lacks tables or columns that are needed, it lacks
                facts about some files, or it has segments of files.
        """
        problems = Problems()
        with opened(folder, self.params.card.layout) as database:
            rows = self._rows(Annotations(database, folder, problems))
        found = records(rows, self.params.recipe, problems)
        problems.check(folder, self.params.card)
        return found

    def build(self, folder: Path, advance: Advance) -> bool:
        """Download the database through audb into ``folder``. False: ``database`` is empty.

        Raises:
            PluginError: audb is not installed.
            CorpusError: no repository has the database, or no repository can be reached.
        """
        name, version = self.params.database, self.params.version
        if not name:
            return False
        audb = imported("audb")
        advance(0, 1)
        with tempfile.TemporaryDirectory() as cache, quiet():
            try:
                audb.load_to(
                    str(folder),
                    name,
                    version=version,
                    pickle_tables=False,
                    cache_root=cache,
                    verbose=False,
                )
            except Exception as error:  # audb's backends can raise any error of their network layer
                where = ", ".join(f"{r.name} on {r.host}" for r in audb.config.REPOSITORIES)
                reason = str(error).rstrip(".") or type(error).__name__
                raise CorpusError(
                    f"audb cannot download {name} {version}: {reason}. Either no repository has "
                    f"it, or no repository can be reached ({where}); give a local copy with "
                    "--data-dir DIR"
                ) from error
        advance(1, 1)
        return True

    def _rows(self, annotations: Annotations) -> Sequence[Row]:
        params = self.params
        columns = {name: getattr(params, name) for name in COLUMNS[1:]}
        emotion = (params.emotion,) if isinstance(params.emotion, str) else params.emotion
        told = {
            name: annotations.values(emotion if name == "emotion" else (column,))
            for name, column in columns.items()
            if column and (name != "gender" or annotations.has_column(column))
        }
        if params.gender and "gender" not in told:
            told["gender"] = annotations.values((params.speaker,), field=params.gender)
        told[SPLIT] = annotations.sides(params.splits)
        return [
            Row(
                file,
                {name: told.get(name, {}).get(file, "") for name in (*COLUMNS, SPLIT)}
                | {"file": file},
            )
            for file in told["emotion"]
        ]
