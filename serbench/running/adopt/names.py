"""Names of audio files, split into folders, separators, letters and digits."""

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
"""Regular expression of each kind of piece. Any other kind is a mark, and matches itself."""

FINE = re.compile(r"(?P<letters>[^\W\d_]+)|(?P<digits>\d+)|(?P<mark>[\W_]+)")
COARSE = re.compile(r"(?P<word>[^/_.\-\s]+)|(?P<mark>[_.\-\s]+)")

USUAL = 0.9
"""Share of names that must have one shape before letters and digits are separated; otherwise names
are split at separators only.
"""


@dataclass(frozen=True, slots=True)
class NamePiece:
    """A run of characters of one kind."""

    kind: NameKind
    text: str


@dataclass(frozen=True, slots=True)
class Shape:
    """The common structure of names: kinds of pieces, and the marks between them."""

    kinds: tuple[NameKind, ...]
    marks: tuple[str, ...]


def audio_names(folder: Path) -> list[str]:
    """Paths of all audio files below ``folder`` with ``/``, as ``plain_name`` writes them, sorted.

    Raises:
        CorpusError: the folder does not exist, contains no audio, or parts of it cannot be read.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder} is not a folder; name the folder with the corpus's audio")
    found = audio_below(folder)
    if not found.names:
        raise CorpusError(f"{folder}: {found.none}; name the folder with the recordings")
    if lost := [str(each) for each in found.left_out if each.lost]:
        raise CorpusError(
            f"{folder}: recordings may be missing: {listed(lost)}. Make these readable, or "
            "remove them"
        )
    if found.left_out:
        log.warning("%s: left out: %s", folder, listed(map(str, found.left_out)))
    return sorted(map(plain_name, found.names))


def take_apart(text: str, *, fine: bool) -> tuple[NamePiece, ...]:
    """The pieces of a name without its extension."""
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
    """The most frequent shape, whether it separates letters and digits, and its share of
    the names.
    """
    best: list[tuple[Shape, bool, float]] = []
    for fine in (True, False):
        shapes = Counter(shape_of(take_apart(text, fine=fine)) for text in texts)
        shape, count = shapes.most_common(1)[0]
        best.append((shape, fine, count / len(texts)))
    return best[0] if best[0][2] >= min(USUAL, best[1][2]) else best[1]


def split_path(name: str) -> tuple[tuple[str, ...], str]:
    """The folders of a path, the nearest first, and the stem of its file name."""
    path = PurePosixPath(name)
    return tuple(reversed(path.parts[:-1])), path.stem


def compiled_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of paths, compiled as the ``files`` corpus uses it: any folders may precede it.

    Raises:
        CorpusError: the pattern is not a regular expression.
    """
    try:
        return re.compile(rf"(?:.*/)?(?:{pattern})")
    except re.error as error:
        raise CorpusError(f"--pattern {pattern} is not a regular expression: {error}") from error
