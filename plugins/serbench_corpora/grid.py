"""Names of missing files, if a corpus's names form a full grid."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from itertools import product

EMOTION = "emotion"


def absent(
    matches: Sequence[re.Match[str]],
    count: int,
    seen: Mapping[tuple[str, str | None], int],
    known: Mapping[str, Sequence[str]],
    irregular: Sequence[re.Match[str]] = (),
) -> list[str]:
    """The names of one emotion's files that ``matches`` lack; empty if they are not certain.

    They are certain if all combinations of the values of the pattern's groups make as many names as
    there are published files, if names differ only in the values of their groups, and if no value
    occurs in one file alone, which may be misspelt.

    Args:
        matches: matches of one pattern with the same ``emotion``; at least one.
        count: published number of this emotion's files.
        seen: number of files of any emotion that have a group's value.
        known: values that groups are known to have, seen or not.
        irregular: names of any emotion that differ from the usual form; they
            are returned unchanged.
    """
    groups = _outermost(matches[0])
    if groups is None or any(None in _cell(match, groups) for match in matches):
        return []
    odd = {match.group() for match in irregular}
    regular = [match for match in matches if match.group() not in odd]
    if len({_remainder(match, groups) for match in regular}) != 1:
        return []
    found = {_cell(match, groups) for match in matches}
    values = [
        sorted({cell[place] for cell in found} | set(known.get(group, ())))
        for place, group in enumerate(groups)
    ]
    if math.prod(map(len, values)) != count:
        return []
    if any(
        seen.get((group, value), 0) == 1 and value not in known.get(group, ())
        for group, column in zip(groups, values, strict=True)
        for value in column
    ):
        return []
    emotion = matches[0][EMOTION]
    strays = {_cell(m, groups): m.group() for m in irregular if m[EMOTION] == emotion}
    names: list[str] = []
    for cell in product(*values):
        if cell in found:
            continue
        name = strays.get(cell) or _filled(regular[0], groups, cell)
        if not _reads(regular[0].re, name, groups, cell, emotion):
            return []
        names.append(name)
    return names


def _outermost(match: re.Match[str]) -> tuple[str, ...] | None:
    """Groups that are not inside another group, in order; None if ``emotion`` is inside one."""
    spans = {name: match.span(name) for name in match.re.groupindex}
    outer: dict[str, tuple[int, int]] = {}
    for name, (start, end) in sorted(spans.items(), key=lambda item: (item[1][0], -item[1][1])):
        if not any(first <= start and end <= last for first, last in outer.values()):
            outer[name] = (start, end)
    if EMOTION not in outer:
        return None
    return tuple(name for name in outer if name != EMOTION)


def _cell(match: re.Match[str], groups: Sequence[str]) -> tuple[str, ...]:
    """Values of groups; None for a group that did not match."""
    return tuple(match[group] for group in groups)


def _remainder(match: re.Match[str], groups: Sequence[str]) -> str:
    """The name without its groups' values."""
    return _filled(match, (*groups, EMOTION), ("\0",) * (len(groups) + 1))


def _filled(match: re.Match[str], groups: Collection[str], cell: Sequence[str]) -> str:
    """The name with its groups replaced by other values."""
    text, first = match.string, match.start()
    pieces: list[str] = []
    for group, value in sorted(
        zip(groups, cell, strict=True), key=lambda pair: match.span(pair[0])
    ):
        start, end = match.span(group)
        pieces += [text[first:start], value]
        first = end
    return "".join([*pieces, text[first : match.end()]])


def _reads(
    pattern: re.Pattern[str], name: str, groups: Sequence[str], cell: tuple[str, ...], emotion: str
) -> bool:
    match = pattern.fullmatch(name)
    return match is not None and _cell(match, groups) == cell and match[EMOTION] == emotion
