"""Names of audio files, taken apart: folders, separators, letters, digits."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from serbench.api import CorpusError, audio_below, plain_name
from serbench.errors import listed

log = logging.getLogger(__name__)

NameKind = Literal["letters", "digits", "letter", "word", "mark"]

CLASSES: dict[NameKind, str] = {
    "letters": r"[^\W\d_]+",
    "digits": r"\d+",
    "letter": r"[^\W\d_]",
    "word": r"[^/_.\-\s]+",
}
"""What each kind of piece is as a regular expression. A mark is itself."""

FINE = re.compile(r"(?P<letters>[^\W\d_]+)|(?P<digits>\d+)|(?P<mark>[\W_]+)")
COARSE = re.compile(r"(?P<word>[^/_.\-\s]+)|(?P<mark>[_.\-\s]+)")

USUAL = 0.9
"""Share of names that must be of one shape before letters and digits are told apart; else names
are only taken apart at their separators."""


@dataclass(frozen=True, slots=True)
class NamePiece:
    """A run of characters of one kind."""

    kind: NameKind
    text: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What names have in common: kinds of pieces, and the marks between them."""

    kinds: tuple[NameKind, ...]
    marks: tuple[str, ...]


def audio_names(folder: Path) -> list[str]:
    """Paths of all audio files below ``folder`` with ``/``, as ``plain_name`` writes them, sorted.

    Raises:
        CorpusError: no such folder, no audio in it, or parts of it that cannot be looked at.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder} is no folder; name the one that holds the corpus's audio")
    found = audio_below(folder)
    if not found.names:
        raise CorpusError(f"{folder}: {found.none}; name the folder that holds the recordings")
    if lost := [str(each) for each in found.left_out if each.lost]:
        raise CorpusError(
            f"{folder}: recordings may be missing: {listed(lost)}. Make them readable, or take "
            "them away"
        )
    if found.left_out:
        log.warning("%s: left out: %s", folder, listed(map(str, found.left_out)))
    return sorted(map(plain_name, found.names))


def take_apart(text: str, *, fine: bool) -> tuple[NamePiece, ...]:
    """A name without its ending, in pieces."""
    pattern = FINE if fine else COARSE
    return tuple(
        NamePiece(match.lastgroup, match.group())  # pyright: ignore[reportArgumentType]
        for match in pattern.finditer(text)
    )


def shape_of(pieces: Sequence[NamePiece]) -> Shape:
    """The shape of one name."""
    marks = tuple(piece.text for piece in pieces if piece.kind == "mark")
    return Shape(tuple(piece.kind for piece in pieces), marks)


def usual_shape(texts: Sequence[str]) -> tuple[Shape, bool, float]:
    """The most frequent shape, whether letters and digits are told apart in it, and its share."""
    best: list[tuple[Shape, bool, float]] = []
    for fine in (True, False):
        shapes = Counter(shape_of(take_apart(text, fine=fine)) for text in texts)
        shape, count = shapes.most_common(1)[0]
        best.append((shape, fine, count / len(texts)))
    return best[0] if best[0][2] >= min(USUAL, best[1][2]) else best[1]


def split_path(name: str) -> tuple[tuple[str, ...], str]:
    """Folders from the nearest on, and the stem."""
    path = PurePosixPath(name)
    return tuple(reversed(path.parts[:-1])), path.stem


def compiled_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of paths as the ``files`` corpus reads it: with any folders in front.

    Raises:
        CorpusError: it is no regular expression.
    """
    try:
        return re.compile(rf"(?:.*/)?(?:{pattern})")
    except re.error as error:
        raise CorpusError(f"--pattern is no regular expression: {error} in {pattern}") from error
