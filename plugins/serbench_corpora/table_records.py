"""Makes utterances of rows of text: templates of columns, and a check of every row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator

from serbench.api import CorpusError, UtteranceRecord
from serbench_corpora.card import CardParams
from serbench_corpora.table_rows import Row, shown

FIELD = re.compile(r"\{([^{}]+)\}")

GIVEN = frozenset({"stem", "folder"})
"""Names that templates may use in addition to columns: the audio file's stem, its folder's name."""

Gender = Literal["female", "male", ""]

# Keys are compared without regard to case.
GENDERS: Mapping[str, Gender] = {"female": "female", "f": "female", "male": "male", "m": "male"}


def checked(text: str) -> str:
    """A template, unchanged, after a check.

    Raises:
        ValueError: a brace does not belong to a ``{column}``.
    """
    if "{" in (rest := FIELD.sub("", text)) or "}" in rest:
        msg = f"is not a valid template: a brace does not belong to a {{column}} in {text}"
        raise ValueError(msg)
    return text


TemplateText = Annotated[str, AfterValidator(checked)]
"""A setting that is a template."""


def compiled(pattern: str) -> re.Pattern[str]:
    """A compiled pattern of a path, with any folders in front of it.

    Raises:
        ValueError: it is not a regular expression.
    """
    try:
        return re.compile(rf"(?:.*/)?(?:{pattern})")
    except re.error as error:
        msg = f"is not a valid regular expression: {error} in {pattern}"
        raise ValueError(msg) from error


def check_labels(labels: Mapping[str, str], drop: Iterable[str]) -> None:
    """
    Raises:
        ValueError: a value both has a label and is dropped.
    """
    if both := sorted(set(labels) & set(drop)):
        msg = f"{', '.join(both)} is in both labels and drop"
        raise ValueError(msg)


class Template:
    """Text with ``{columns}`` in it."""

    def __init__(self, text: str) -> None:
        # Every second part is the name of a column.
        self._parts = FIELD.split(text)
        self.fields = frozenset(self._parts[1::2])

    def fill(self, cells: Mapping[str, str]) -> str:
        """The text for one row."""
        return "".join(cells[p] if n % 2 else p for n, p in enumerate(self._parts))

    def empty(self, cells: Mapping[str, str]) -> list[str]:
        """Empty columns among those that the template uses."""
        return sorted(name for name in self.fields if not cells[name])


@dataclass(frozen=True)
class Recipe:
    """How a row becomes an utterance.

    Attributes:
        audio: template of the audio file's path; uses columns only.
        pattern: must match that path, except for folders in front of it. Its groups can be used
            like columns, and must agree with columns of the same name. None: no groups.
        id, speaker, label: templates; an empty cell in one of them is an error.
        session, text, gender, intensity, take: templates; an empty text means not known.
        labels, drop: labels by value of ``label``, and values whose rows are left out.
        genders: meaning of values of ``gender`` other than those in ``GENDERS``; empty: not known.
        where: for each column, the values whose rows are kept.
        unknown_speakers: values of ``speaker`` whose rows are left out.
        official: column of the corpus's own split; empty: it has no split.
        sides: the side or fold of each value of that column; empty: values are used unchanged.
    """

    audio: Template
    speaker: Template
    label: Template
    labels: Mapping[str, str]
    pattern: re.Pattern[str] | None = None
    id: Template = field(default_factory=lambda: Template("{stem}"))
    session: Template = field(default_factory=lambda: Template(""))
    text: Template = field(default_factory=lambda: Template(""))
    gender: Template = field(default_factory=lambda: Template(""))
    intensity: Template = field(default_factory=lambda: Template(""))
    take: Template = field(default_factory=lambda: Template(""))
    drop: tuple[str, ...] = ()
    genders: Mapping[str, Gender] = field(default_factory=dict)
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unknown_speakers: tuple[str, ...] = ()
    official: str = ""
    sides: Mapping[str, str] = field(default_factory=dict)

    @property
    def groups(self) -> frozenset[str]:
        """Named groups of the pattern."""
        return frozenset(self.pattern.groupindex) if self.pattern else frozenset()

    @property
    def columns(self) -> frozenset[str]:
        """Columns that a table must have."""
        templates = (
            *(self.id, self.speaker, self.label, self.session, self.text),
            *(self.gender, self.intensity, self.take),
        )
        used = {name for template in templates for name in template.fields} - GIVEN - self.groups
        official = {self.official} if self.official else set()
        return frozenset(used | self.audio.fields | set(self.where) | official)


class Problems:
    """Problems with rows, by kind, each with its place."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def add(self, kind: str, where: str) -> None:
        """Add one problem."""
        self._found.setdefault(kind, []).append(where)

    def check(self, place: Path, card: CardParams) -> None:
        """
        Raises:
            CorpusError: there are problems; the message has all of them, counted by kind.
        """
        if self._found:
            told = (f"{kind} ({len(at)}): {shown(at)}" for kind, at in self._found.items())
            raise CorpusError(
                f"{place} is not {card.title} as expected ({card.layout}): {'; '.join(told)}. "
                "Correct the table, or give the right folder"
            )


def records(rows: Iterable[Row], recipe: Recipe, problems: Problems) -> list[UtteranceRecord]:
    """One record per row that is not left out; everything that is wrong is added to ``problems``.

    Rows are left out if ``where`` does not keep them, if their label is in ``drop``, or if their
    speaker is not known (``unknown_speakers``).
    """
    found: list[UtteranceRecord] = []
    first: dict[str, str] = {}
    for row in rows:
        if any(row.cells[column] not in kept for column, kept in recipe.where.items()):
            continue
        record = _record(row, recipe, problems)
        if record is None:
            continue
        if record.id in first:
            problems.add(
                "ids that an earlier row has", f"{row.where} {record.id} (as {first[record.id]})"
            )
        first.setdefault(record.id, row.where)
        found.append(record)
    return found


def describe(path: str, cells: Mapping[str, str], recipe: Recipe) -> dict[str, str] | None:
    """Cells of a row, with the facts that the audio file's path adds: groups, stem and folder.

    Returns:
        None if the pattern does not match the path.
    """
    groups: dict[str, str] = {}
    if recipe.pattern is not None:
        match = recipe.pattern.fullmatch(path)
        if match is None:
            return None
        groups = match.groupdict(default="")
    where = PurePosixPath(path)
    return {**groups, **cells, "stem": where.stem, "folder": where.parent.name}


def _record(row: Row, recipe: Recipe, problems: Problems) -> UtteranceRecord | None:
    if empty := recipe.audio.empty(row.cells):
        problems.add("empty cells", f"{row.where} {', '.join(empty)}")
        return None
    path = recipe.audio.fill(row.cells).replace("\\", "/")
    cells = describe(path, row.cells, recipe)
    if cells is None:
        problems.add("paths that do not match the pattern", f"{row.where} {path}")
        return None
    label, speaker = recipe.label.fill(cells), recipe.speaker.fill(cells)
    if label in recipe.drop or (label in recipe.labels and speaker in recipe.unknown_speakers):
        return None
    faults = [*_faults(cells, recipe), *_disagreements(path, cells, recipe)]
    for kind, what in faults:
        problems.add(kind, f"{row.where} {what}")
    if faults:
        return None
    return UtteranceRecord(
        id=recipe.id.fill(cells),
        path=Path(path),
        speaker=speaker,
        label=recipe.labels[label],
        session=recipe.session.fill(cells) or None,
        text=recipe.text.fill(cells) or None,
        gender=_gender(cells, recipe) or None,
        intensity=recipe.intensity.fill(cells) or None,
        take=recipe.take.fill(cells) or None,
        official=_side(cells, recipe) if recipe.official else None,
    )


def _faults(cells: Mapping[str, str], recipe: Recipe) -> Iterator[tuple[str, str]]:
    """The problems of a row that cannot be understood: the kind, and the cell."""
    needed = (recipe.id, recipe.speaker, recipe.label)
    empty = {name for template in needed for name in template.empty(cells)}
    if recipe.official and not cells[recipe.official]:
        empty.add(recipe.official)
    if empty:
        yield "empty cells", ", ".join(sorted(empty))
    label = recipe.label.fill(cells)
    if label not in recipe.labels and not recipe.label.empty(cells):
        yield f"rows with a label that is not one of {_listed(recipe.labels, recipe.drop)}", label
    if _gender(cells, recipe) is None:
        told = recipe.gender.fill(cells)
        yield f"rows with a gender that is not one of {_listed(GENDERS, recipe.genders)}", told
    if recipe.official and cells[recipe.official] and _side(cells, recipe) is None:
        told = cells[recipe.official]
        yield f"rows with a split that is not one of {_listed(recipe.sides)}", told


def _disagreements(
    path: str, cells: Mapping[str, str], recipe: Recipe
) -> Iterator[tuple[str, str]]:
    """Groups of the pattern that differ from the column of the same name."""
    match = recipe.pattern.fullmatch(path) if recipe.pattern else None
    for name, value in (match.groupdict(default="") if match else {}).items():
        if value and cells[name] != value:
            yield f"rows whose {name} differs from that in the file name", f"{cells[name]} ({path})"


def _gender(cells: Mapping[str, str], recipe: Recipe) -> Gender | None:
    """The speaker's gender: empty if it is not known, None if the value cannot be understood."""
    value = recipe.gender.fill(cells)
    if not value:
        return ""
    if value in recipe.genders:
        return recipe.genders[value]
    return GENDERS.get(value.casefold())


def _side(cells: Mapping[str, str], recipe: Recipe) -> str | None:
    """The side or fold of a row; None if its value is not one of the known values."""
    value = cells[recipe.official]
    return recipe.sides.get(value) if recipe.sides else value


def _listed(*names: Iterable[str]) -> str:
    return ", ".join(sorted({name for some in names for name in some if name}))
