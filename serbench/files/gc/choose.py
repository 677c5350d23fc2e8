"""Choice of cache entries to remove."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from serbench.errors import StoreError
from serbench.files.gc.contents import CacheEntry
from serbench.files.gc.kinds import KINDS, NAMED_ONLY

DAY_S = 86_400.0
"""Half-written or damaged entries may belong to a running process until they are this old."""

UNITS_S = {"h": 3600.0, "d": DAY_S, "w": 7 * DAY_S}


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules for entries to remove.

    Attributes:
        kinds: only these kinds are removed; empty: all but ``NAMED_ONLY``.
        older_than_s: least time since the last use; None: any time.
        even_used: whether fits of stored runs are removed, too.
    """

    kinds: tuple[str, ...] = ()
    older_than_s: float | None = 30 * DAY_S
    even_used: bool = False

    def check(self) -> None:
        """
        Raises:
            StoreError: an unknown kind.
        """
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown:
            raise StoreError(f"the cache has no kind {unknown[0]}: choose among {', '.join(KINDS)}")


class Choice(NamedTuple):
    """An entry, whether it is removed, and the reason."""

    entry: CacheEntry
    goes: bool
    why: str


def parse_age(text: str) -> float:
    """Seconds of an age such as ``12h``, ``30d`` or ``8w``.

    Raises:
        StoreError: the text is not an age.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([hdw])", text.strip())
    if not found:
        raise StoreError(f"{text!r} is not an age; give hours, days or weeks: 12h, 30d, 8w")
    return float(found[1]) * UNITS_S[found[2]]


def choose(
    entries: Sequence[CacheEntry], rules: Rules, referenced: frozenset[str], now_s: float
) -> tuple[Choice, ...]:
    """Decide about every entry.

    Temporary and damaged entries are removed if they are a day old; other entries if they were
    unused for long enough, but fits of stored runs only with ``even_used``.

    Args:
        entries: entries of the cache.
        rules: the request.
        referenced: addresses of the fits of stored runs.
        now_s: seconds since 1970.

    Raises:
        StoreError: as ``Rules.check``.
    """
    rules.check()
    return tuple(Choice(entry, *_fate(entry, rules, referenced, now_s)) for entry in entries)


def _fate(
    entry: CacheEntry, rules: Rules, referenced: frozenset[str], now_s: float
) -> tuple[bool, str]:
    asked = entry.kind in rules.kinds if rules.kinds else entry.kind not in NAMED_ONLY
    if not asked:
        return False, "not selected"
    if broken := "left over" if entry.kind == "temporaries" else entry.damage and "damaged":
        settled = now_s - entry.written_s > DAY_S
        return settled, broken if settled else "from today"
    if entry.kind == "fits" and entry.key in referenced and not rules.even_used:
        return False, "in stored runs"
    if rules.older_than_s is None:
        return True, "any age"
    old = now_s - entry.used_s > rules.older_than_s
    return old, "unused for long" if old else "used recently"
