"""Sorts names in natural order, and divides units into groups of similar size."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from serbench.api import SplitError


def balanced_groups(weights: Sequence[int], count: int) -> tuple[tuple[int, ...], ...]:
    """Divide positions into ``count`` groups of similar total weight, always in the same way.

    From the heaviest to the lightest, each position is added to the group that is lightest so far
    (longest processing time first; Graham, 1969). Groups are ordered by their first member.

    Raises:
        SplitError: fewer positions than groups.
    """
    if not 1 <= count <= len(weights):
        raise SplitError(f"{len(weights)} units cannot be divided into {count} groups")
    members: list[list[int]] = [[] for _ in range(count)]
    totals = [0] * count
    for position in sorted(range(len(weights)), key=lambda p: (-weights[p], p)):
        lightest = min(range(count), key=lambda g: (totals[g], len(members[g]), g))
        members[lightest].append(position)
        totals[lightest] += weights[position]
    return tuple(sorted(tuple(sorted(group)) for group in members))


def natural_key(name: str) -> tuple[str | tuple[int, str], ...]:
    """A sort key under which ``"Ses2" < "Ses10"``."""
    return tuple(
        _size(part) if position % 2 else part for position, part in enumerate(_DIGITS.split(name))
    )


_DIGITS = re.compile(r"([0-9]+)")


def _size(digits: str) -> tuple[int, str]:
    """A key that sorts digits by their number, also for more than the 4300 that Python reads."""
    plain = digits.lstrip("0")
    return len(plain), plain


def linked_groups(names: Sequence[str], links: Iterable[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Groups of ``names`` such that names that are linked, directly or indirectly, are together.

    Groups and their members are in the order of ``names``; links to other names are ignored.
    """
    leader = {name: name for name in names}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    place = {name: number for number, name in enumerate(names)}
    for one, other in links:
        if one in leader and other in leader:
            first, second = sorted((find(one), find(other)), key=place.__getitem__)
            leader[second] = first
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(find(name), []).append(name)
    return [tuple(group) for group in groups.values()]
