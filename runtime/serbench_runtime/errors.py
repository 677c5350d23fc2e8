"""All errors that a user can cause. The command line prints only the message and exits with 2."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

NEAR = 0.65
"""Share of letters, in order, that similar names have in common."""

FEW = 12
"""Greatest number of names that are listed if none is similar; otherwise a message says where to
find them.
"""


def listed(names: Iterable[str], most: int = 8, *, clauses: bool = False) -> str:
    """The first names, and how many more there are: ``a, b and 3 more``.

    Args:
        names: all names.
        most: number of names to list.
        clauses: whether names contain commas, as in ``a; b; and 3 more``.
    """
    every = list(names)
    more = len(every) - most
    between, last = ("; ", "; and") if clauses else (", ", " and")
    return between.join(every[:most]) + (f"{last} {more} more" if more > 0 else "")


def joined(parts: Iterable[str], joint: str = "and") -> str:
    """All parts, as in ``a, b and c``."""
    *first, last = [*parts] or [""]
    return f"{', '.join(first)} {joint} {last}" if first else last


def numbered(count: int, noun: str, plural: str = "") -> str:
    """A count with its noun, for instance ``1 file`` or ``2 files``."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def near_names(name: str, known: Iterable[str], most: int = 2) -> list[str]:
    """Similar names, the most similar first; case, ``_`` and ``-`` make no difference.

    Names that are much less similar than the first are left out.

    Examples:
        >>> near_names("runz", ["run", "runs", "prune"])
        ['run', 'runs']
        >>> near_names("adk", ["akd", "kd", "teacher"])
        ['akd']
    """
    found = sorted(((_likeness(name, other), other) for other in known), reverse=True)
    least = max(NEAR, found[0][0] - 0.15) if found else NEAR
    return [other for likeness, other in found if likeness >= least][:most]


def _likeness(name: str, other: str) -> float:
    here, there = (each.casefold().replace("_", "-").lstrip("-") for each in (name, other))
    if sorted(here) == sorted(there):  # the same letters in another order, as when two are swapped
        return 1.0
    return SequenceMatcher(None, here, there).ratio()


def did_you_mean(name: str, known: Iterable[str], see: str = "") -> str:
    """A clause to end a message about an unknown name.

    Args:
        name: the unknown name.
        known: all known names.
        see: a command that lists them, if there are many.

    Examples:
        >>> did_you_mean("akdd", ["akd", "transformer"])
        "; did you mean 'akd'?"
        >>> did_you_mean("x", ["akd", "transformer"])
        '; known: akd, transformer'
    """
    names = sorted(known)
    if near := near_names(name, names):
        return "; did you mean " + " or ".join(map(repr, near)) + "?"
    if not names:
        return "; none is known"
    if len(names) <= FEW:
        return f"; known: {', '.join(names)}"
    return f"; `{see}` shows all {len(names)}" if see else ""


def visible(name: str) -> str:
    r"""A name as text that can be printed and stored, even if its bytes are not UTF-8.

    Examples:
        >>> print(visible(b"M\xfcller".decode("utf-8", "surrogateescape")))
        M\xfcller
    """
    try:
        raw = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a pair of UTF-16, as JSON can spell it
        raw = name.encode("utf-8", "backslashreplace")
    return raw.decode("utf-8", "backslashreplace")


class SerbenchError(Exception):
    """Wrong input or environment. The message says what is wrong, where, and what to do.

    Attributes:
        exit_code: exit code of a command that ends with this error.
    """

    exit_code = 2


class CorpusError(SerbenchError):
    """Audio cannot be read, or a corpus is missing, incomplete or differs from its card."""


class ModelError(SerbenchError):
    """A file is not an exported model that can be used here."""


class WaveformError(SerbenchError):
    """Samples that no model can use: too short, not finite, of unknown scale, …"""
