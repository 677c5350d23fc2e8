"""Every error that a user can cause. The command line prints the message alone and exits with 2."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

NEAR = 0.65
"""Share of letters, in their order, that names have in common that may be meant for each other."""

FEW = 12
"""So many names are listed where nothing is near; of more, a message says where to find them."""


def listed(names: Iterable[str], most: int = 8, *, clauses: bool = False) -> str:
    """The first names, and how many more there are: ``a, b and 3 more``.

    Args:
        names: all of them.
        most: as many are named.
        clauses: they are more than names: ``a; b; and 3 more``.
    """
    every = list(names)
    more = len(every) - most
    between, last = ("; ", "; and") if clauses else (", ", " and")
    return between.join(every[:most]) + (f"{last} {more} more" if more > 0 else "")


def joined(parts: Iterable[str], joint: str = "and") -> str:
    """All of them, as in ``a, b and c``."""
    *first, last = [*parts] or [""]
    return f"{', '.join(first)} {joint} {last}" if first else last


def numbered(count: int, noun: str, plural: str = "") -> str:
    """For instance ``1 file`` or ``2 files``."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def near_names(name: str, known: Iterable[str], most: int = 2) -> list[str]:
    """Names that may be meant, the nearest first; case, ``_`` and ``-`` make no difference.

    A name that is much farther away than the nearest is left out.

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
    if sorted(here) == sorted(there):  # the same letters: two of them have changed places
        return 1.0
    return SequenceMatcher(None, here, there).ratio()


def did_you_mean(name: str, known: Iterable[str], see: str = "") -> str:
    """A clause to end a message that there is no such name.

    Args:
        name: that is not known.
        known: all that are.
        see: a command that lists them, for where there are many.

    Examples:
        >>> did_you_mean("akdd", ["akd", "transformer"])
        "; did you mean 'akd'?"
        >>> did_you_mean("x", ["akd", "transformer"])
        '; there is akd, transformer'
    """
    names = sorted(known)
    if near := near_names(name, names):
        return "; did you mean " + " or ".join(map(repr, near)) + "?"
    if not names:
        return "; there is none"
    if len(names) <= FEW:
        return f"; there is {', '.join(names)}"
    return f"; `{see}` shows all {len(names)}" if see else ""


def visible(name: str) -> str:
    r"""A name as text that can be printed and stored, whatever bytes a file system or a file had.

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
    """Bad input or a bad environment. The message says what was wrong, where, and what to do."""


class CorpusError(SerbenchError):
    """Audio cannot be read, or a corpus is missing, incomplete or not what its card declares."""


class ModelError(SerbenchError):
    """A file is not an exported model that can be used here."""


class WaveformError(SerbenchError):
    """Samples that no model can hear: too short, not finite, of no known scale, …"""
