"""Finds names of speakers, sessions and sentences that are one name in several spellings."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from serbench.api import LeakageError
from serbench.data.corpus.table import CorpusTable

NameKind = Literal["speaker", "session", "text"]

NOUNS: Mapping[NameKind, str] = {"speaker": "speaker", "session": "session", "text": "sentence"}

CODES: Mapping[NameKind, str] = {"speaker": "L1", "session": "L1", "text": "L9"}
"""The guard's check that is unreliable if one name has several spellings, by kind of name."""

ONLY = "differ only in case, spaces, Unicode form or the spelling of numbers"

_SPACES = re.compile(r"\s+")
_FLOAT = re.compile(r"(\d+)(?:\.(\d+))?e\+(\d\d)", re.ASCII)
_ZERO_FRACTION = re.compile(r"(?<!\d)(?<!\d\.)(\d+)\.0+(?![\d.])", re.ASCII)
_LEADING_ZEROS = re.compile(r"(?<!\d)(?<!\d\.)0+(?=\d)", re.ASCII)


class Named(Protocol):
    """The names of an utterance."""

    @property
    def speaker(self) -> str | None: ...  # noqa: D102

    @property
    def session(self) -> str | None: ...  # noqa: D102

    @property
    def text(self) -> str | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Respelled:
    """One name that occurs in several spellings.

    Attributes:
        kind: kind of the thing that has the name.
        counts: number of utterances by spelling, spellings sorted.
    """

    kind: NameKind
    counts: Mapping[str, int]

    @property
    def usual(self) -> str:
        """The most frequent spelling."""
        return max(self.counts, key=lambda name: self.counts[name])

    def __str__(self) -> str:
        alike = len({unicodedata.normalize("NFKC", name) for name in self.counts}) == 1
        return " = ".join(map(ascii if alike else repr, self.counts))


def folded(name: str) -> str:
    """A name without the differences that people and programs make in spelling.

    Case, white space, invisible characters, and Unicode composition and compatibility (NFKC) make
    no difference. Nor do leading zeros and a fraction of zeros, which a table's numbers get if they
    are read as floats. Digits after a point stay as they are: ``1.05`` is not ``1.5``.

    Example:
        >>> {folded(name) for name in ("s03", " S3", "s3.0", "s 03")}
        {'s3'}
        >>> folded("12") == folded("1 2"), folded("1.10") == folded("1.1")
        (False, False)

    Returns:
        A text that is the same for all spellings of a name, and for the result itself.
    """
    while (plainer := _plainer(name)) != name:
        name = plainer
    return name


def respelled(
    named: Iterable[Named], different: Mapping[str, Sequence[str]] | None = None
) -> tuple[Respelled, ...]:
    """Every name that occurs in several spellings.

    Args:
        named: utterances.
        different: a card's declaration, by kind, of names that are spelled alike and are different
            names. A spelling that is not among them is still found.
    """
    utterances = list(named)
    found: list[Respelled] = []
    for kind in NOUNS:
        told = (getattr(utterance, kind) for utterance in utterances)
        counts = Counter(name for name in told if name is not None)
        apart = frozenset((different or {}).get(kind, ()))
        found += [
            Respelled(kind, {name: counts[name] for name in names})
            for names in _alike(counts)
            if not apart.issuperset(names)
        ]
    return tuple(found)


def lonely(names: Iterable[str]) -> tuple[str, ...]:
    """The ``names`` that are not spelled like any other of them."""
    every = list(dict.fromkeys(names))
    together = {name for names in _alike(every) for name in names}
    return tuple(name for name in every if name not in together)


def check_spelling(table: CorpusTable) -> list[str]:
    """Prove that no speaker, session or sentence in a table has its name in several spellings.

    If a table is made of whole corpora, each corpus is checked by itself: a name means one speaker
    only within a corpus.

    Returns:
        Names that are spelled alike and that a card declares different, in quotes.

    Raises:
        LeakageError: a name has several spellings: L1 for a speaker or session, L9 for a sentence.
    """
    declared: list[str] = []
    for part in table.whole or (table,):
        different = part.card.different
        found = respelled(part.utterances, different)
        for kind, noun in NOUNS.items():
            if own := [each for each in found if each.kind == kind]:
                what = f"{noun}s of {part.name} whose names {ONLY}"
                raise LeakageError(CODES[kind], what, list(map(str, own)), way_out(own[0]))
        declared += [repr(name) for names in different.values() for name in names]
    return declared


def way_out(found: Respelled) -> str:
    """Advice on what to do about a name in several spellings."""
    names = ", ".join(f'"{name}"' for name in found.counts)
    return (
        f"Give each one spelling; if they are different {NOUNS[found.kind]}s, declare that in the "
        f"corpus's card: different.{found.kind} = [{names}]"
    )


def _alike(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of names that are spelled alike, without groups of a single name."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(folded(name), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _plainer(name: str) -> str:
    text = unicodedata.normalize("NFKC", name).casefold()
    text = "".join(map(_seen, text))
    text = _SPACES.sub(_kept_space, text)
    if (number := _FLOAT.fullmatch(text)) is not None:
        text = _written_out(number[1], number[2] or "", int(number[3])) or text
    return _LEADING_ZEROS.sub("", _ZERO_FRACTION.sub(r"\1", text))


def _seen(character: str) -> str:
    """A visible character; digits of any script become 0 … 9, invisible characters nothing."""
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    invisible = unicodedata.category(character) in {"Cc", "Cf"} and not character.isspace()
    return "" if invisible else character


def _kept_space(found: re.Match[str]) -> str:
    """One space between digits, because without it they would be one number; else no space."""
    around = found.string[found.start() - 1 : found.start()], found.string[found.end() :][:1]
    return " " if all(map(str.isdigit, around)) else ""


def _written_out(whole: str, fraction: str, exponent: int) -> str | None:
    """``1.5e+16`` with all its digits; None if it is not a whole number."""
    zeros = exponent - len(fraction)
    return whole + fraction + "0" * zeros if zeros >= 0 else None
