"""Names of audio files, taken apart: folders, separators, letters, digits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from serbench.api import CorpusError

AUDIO = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff"})
"""Endings of files that the ``files`` corpus looks at."""

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
    """Paths of all audio files below ``folder`` with ``/``, sorted.

    Raises:
        CorpusError: no such folder, or no audio in it.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder} is no folder; name the one that holds the corpus's audio")
    found = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in AUDIO and not _hidden(path.relative_to(folder))
    )
    if not found:
        endings = ", ".join(sorted(ending.removeprefix(".") for ending in AUDIO))
        raise CorpusError(f"{folder} holds no audio files ({endings}); name the folder that does")
    return found


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


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
