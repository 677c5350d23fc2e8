"""Candidate parts of names: sequences of pieces, with their value in every name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from serbench.running.adopt.names import (
    CLASSES,
    NameKind,
    NamePiece,
    shape_of,
    split_path,
    take_apart,
    usual_shape,
)

LETTERS = ("letters", "letter")
PAIRS = tuple((kind, "digits") for kind in LETTERS)

GENDERS = ({"f", "m"}, {"w", "m"}, {"female", "male"})

CODE = re.compile("[A-Z][a-z]")

STEM = -1
"""Level of the file's own name. Level 0 is the nearest folder."""


@dataclass(frozen=True, slots=True)
class NameUnit:
    """Pieces ``start`` … ``stop`` of one level of all names.

    Attributes:
        level: ``STEM``, or a folder's distance from the file.
        values: the value in each name.
        whole: whether the unit is the whole level.
        halved: whether it is letters without the digits that follow, or vice versa, and both differ
            between names.
    """

    level: int
    start: int
    stop: int
    values: tuple[str, ...]
    whole: bool = False
    halved: bool = False


@dataclass(frozen=True)
class Level:
    """One level of all names that fit.

    Attributes:
        kinds: kinds of its pieces; None if names have several shapes, so that only the level as a
            whole can be used.
        texts: the text of this level in each name.
        pieces: the pieces in each name, as many as ``kinds``.
    """

    number: int
    kinds: tuple[NameKind, ...] | None
    texts: tuple[str, ...]
    pieces: tuple[tuple[NamePiece, ...], ...]

    def units(self) -> list[NameUnit]:
        """The candidate parts: single pieces, letters with the digits after them, and all between
        two marks.

        A piece that has the same text in all names is not a candidate.
        """
        found: list[NameUnit] = []
        if self.kinds is not None:
            spans = dict.fromkeys(
                [*_compounds(self.kinds), *_segments(self.kinds), *self._numbered_genders()]
            )
            for start, stop in spans:
                unit = self._unit(start, stop)
                if len(set(unit.values)) > 1:
                    found.append(unit)
        if self.number != STEM and len(set(self.texts)) > 1:
            found.append(NameUnit(self.number, 0, 0, self.texts, whole=True))
        return found

    def with_letters_apart(self) -> Level:
        """The level with codes such as ``Fa`` split in two: a capital and a small letter
        in all names.

        Other letters stay together: the first letters of people's names are not emotions.
        """
        if self.kinds is None:
            return self
        split = [
            all(CODE.fullmatch(own[position].text) for own in self.pieces)
            for position in range(len(self.kinds))
        ]
        pieces = tuple(
            tuple(
                piece
                for whole, cut in zip(own, split, strict=True)
                for piece in ([NamePiece("letter", c) for c in whole.text] if cut else [whole])
            )
            for own in self.pieces
        )
        return Level(self.number, tuple(piece.kind for piece in pieces[0]), self.texts, pieces)

    def _numbered_genders(self) -> list[tuple[int, int]]:
        """Spans of a gender, a mark and a number, such as ``F_01``."""
        assert self.kinds is not None
        return [
            (start, start + 3)
            for start in range(len(self.kinds) - 2)
            if tuple(self.kinds[start : start + 3]) == ("letters", "mark", "digits")
            and {own[start].text.casefold() for own in self.pieces} in GENDERS
        ]

    def _unit(self, start: int, stop: int) -> NameUnit:
        values = tuple("".join(p.text for p in own[start:stop]) for own in self.pieces)
        return NameUnit(self.number, start, stop, values, halved=self._halved(start, stop))

    def _halved(self, start: int, stop: int) -> bool:
        assert self.kinds is not None
        if stop - start > 1:
            return False
        first = start if self.kinds[start] in LETTERS else start - 1
        pair = (first, first + 1)
        if first < 0 or tuple(self.kinds[first : first + 2]) not in PAIRS:
            return False
        return all(len({own[i].text for own in self.pieces}) > 1 for i in pair)

    def expression(self, names: dict[tuple[int, int], str]) -> str:
        """The level as a regular expression, in which the spans of ``names`` are named groups."""
        if (0, 0) in names:
            return f"(?P<{names[0, 0]}>[^/]+)"
        if self.kinds is None or (self.number != STEM and not names):
            return "[^/]+"
        starts = {start: (stop, name) for (start, stop), name in names.items()}
        parts, position = [], 0
        while position < len(self.kinds):
            stop, name = starts.get(position, (position + 1, ""))
            inside = "".join(self._class(i) for i in range(position, stop))
            parts.append(f"(?P<{name}>{inside})" if name else inside)
            position = stop
        return "".join(parts)

    def _class(self, position: int) -> str:
        assert self.kinds is not None
        kind = self.kinds[position]
        texts = {own[position].text for own in self.pieces}
        if kind == "mark" or len(texts) == 1:
            return re.escape(self.pieces[0][position].text).replace(r"\-", "-").replace(r"\ ", " ")
        if kind == "digits" and len(widths := {len(text) for text in texts}) == 1:
            width = widths.pop()
            return rf"\d{{{width}}}" if width > 1 else r"\d"
        return CLASSES[kind]


def levels(names: Sequence[str]) -> tuple[tuple[str, ...], list[Level]]:
    """Names of the usual shape, and their levels: the stem, then folders, the nearest first.

    Folders that some of these names lack are not a level.
    """
    stems = [split_path(name)[1] for name in names]
    shape, fine, _ = usual_shape(stems)
    fitting = tuple(
        name
        for name, stem in zip(names, stems, strict=True)
        if shape_of(take_apart(stem, fine=fine)) == shape
    )
    split = [split_path(name) for name in fitting]
    depth = min(len(folders) for folders, _ in split)
    found = [_level(STEM, [stem for _, stem in split], fine)]
    found += [
        _level(number, [folders[number] for folders, _ in split], None) for number in range(depth)
    ]
    return fitting, found


def _level(number: int, texts: Sequence[str], fine: bool | None) -> Level:
    if fine is None:
        _, fine, share = usual_shape(texts)
        if share < 1:
            return Level(number, None, tuple(texts), ())
    pieces = tuple(take_apart(text, fine=fine) for text in texts)
    return Level(number, shape_of(pieces[0]).kinds, tuple(texts), pieces)


def _compounds(kinds: Sequence[NameKind]) -> list[tuple[int, int]]:
    """Spans of every piece that is not a mark, and of letters with the digits that follow."""
    found = []
    for start, kind in enumerate(kinds):
        if kind == "mark":
            continue
        found.append((start, start + 1))
        if kind in LETTERS and tuple(kinds[start + 1 : start + 2]) == ("digits",):
            found.append((start, start + 2))
    return found


def _segments(kinds: Sequence[NameKind]) -> list[tuple[int, int]]:
    """Spans between two marks."""
    found, start = [], 0
    for position, kind in enumerate([*kinds, "mark"]):
        if kind == "mark":
            if position > start:
                found.append((start, position))
            start = position + 1
    return found
