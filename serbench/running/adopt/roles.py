"""The role of each part of the names: emotion, speaker, sentence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serbench.running.adopt.units import GENDERS, STEM, Level, NameUnit
from serbench.running.adopt.words import NO_SPEAKERS, initials_of, label_of, plain

MOST_EMOTIONS = 20
"""A part with more values is not the emotion."""

KNOWN_SHARE = 0.5
"""Share of the files that must have a known word as their emotion, before unknown
words are accepted.
"""

COVERED = 0.6
"""Least share of the emotions that each speaker or sentence must have, averaged over files."""

WELL_COVERED = 0.9
"""Share of the emotions from which a part is scored as a speaker: speakers have nearly all
emotions; intensities lack the neutral one.
"""

LOWEST = -1
"""Below this score, no part is clearly the speaker, so the user is asked."""

EVIDENT = 3
"""From this score on, there is more evidence than the part's position: a folder, a word,
a gender.
"""

MOST_TAKES = 5
"""If more numbers than this follow the emotion in names, they may be speakers instead of takes."""

SAME = 0.95
"""Least share of the files in which one part must follow from another; single names
may be misspelt.
"""

SPEAKER_WORDS = frozenset({"actor", "speaker", "spk", "spkr", "subject", "subj", "participant"})
WORDY = 20
"""A part with this many different words is the sentence, not the speaker."""

FEWEST_TEXTS = 3
"""A part with letters and fewer values could also be an intensity."""


@dataclass(frozen=True, slots=True)
class Emotion:
    """A part of the names with labels for its values."""

    unit: NameUnit
    labels: Mapping[str, str]
    initials: bool

    @property
    def known(self) -> int:
        """Number of files with a known emotion."""
        return sum(value in self.labels for value in self.unit.values)


def find_emotion(found: Sequence[Level], given: Mapping[str, str]) -> Emotion | None:
    """The part whose values are emotions; parts of the stem are preferred to folders."""
    candidates = [
        candidate
        for level in found
        for unit in level.units()
        if (candidate := as_emotion(unit, given)) is not None
    ]
    return max(
        candidates,
        key=lambda c: (
            c.known, not c.initials, c.unit.level == STEM,
            -len(set(c.unit.values)), -c.unit.start,
        ),
        default=None,
    )  # fmt: skip


def as_emotion(unit: NameUnit, given: Mapping[str, str]) -> Emotion | None:
    """A part with labels for its values; None if its values do not resemble emotions."""
    values = Counter(unit.values)
    if len(values) > max(MOST_EMOTIONS, len(given)):
        return None
    if given and not set(given) <= set(values):
        return None
    words = {v: given[v] if v in given else label_of(v) for v in values}
    labels = {value: label for value, label in words.items() if label is not None}
    initials = False
    if not given and len(labels) < len(values) and (letters := initials_of(values)):
        labels, initials = dict(letters), True
    known = sum(values[value] for value in labels)
    kinds = {label for label in labels.values() if label}
    enough = len(kinds) >= 2 and known >= KNOWN_SHARE * len(unit.values)
    if not enough or any(len(plain(v)) == 1 and not initials and v not in given for v in labels):
        return None
    return Emotion(unit, labels, initials)


def find_speakers(found: Sequence[Level], emotion: Emotion) -> list[NameUnit]:
    """The part whose values have all emotions, then others that could be speakers too.

    If the list has one part, the speaker is clear. If it is empty, no part is likely.
    """
    units = [
        unit
        for level in found
        for unit in level.units()
        if not overlaps(unit, emotion.unit)
        and not unit.halved
        and not {value.casefold() for value in unit.values} <= NO_SPEAKERS
    ]
    candidates = sorted(
        (
            (
                speaker_score(unit, found, emotion),
                unit.level == STEM, not unit.whole, -unit.start, unit.stop, unit,
            )
            for unit in units
            if coverage(unit, emotion) >= COVERED
        ),
        key=lambda each: each[:-1],
        reverse=True,
    )  # fmt: skip
    if not candidates or candidates[0][0] < LOWEST:
        return []
    score, best = candidates[0][0], candidates[0][-1]
    others = [(each[0], each[-1]) for each in candidates[1:]]
    if score >= EVIDENT:
        rivals = [u for own, u in others if own >= score or follows(best.values, u.values)]
    elif _leads(best, [unit for _, unit in others], emotion):
        rivals = [unit for _, unit in others if _outnumbers(unit, best)]
    else:
        confounded = [unit for unit in units if _repeats(unit, emotion)]
        rivals = [*(unit for _, unit in others), *confounded]
    chosen = [best]
    for unit in rivals:
        # Parts that follow from the best one (a gender, a session), and repetitions of it, are
        # excluded.
        if not follows(unit.values, best.values) and not any(
            overlaps(unit, other) or one_to_one(unit.values, other.values) for other in chosen
        ):
            chosen.append(unit)
    return chosen


def _leads(best: NameUnit, others: Sequence[NameUnit], emotion: Emotion) -> bool:
    """Whether a part comes first in the names, before the emotion, as speakers mostly do."""
    first = all(best.start <= other.start for other in others if other.level == STEM)
    return first and best.level == emotion.unit.level == STEM and best.stop <= emotion.unit.start


def _outnumbers(unit: NameUnit, best: NameUnit) -> bool:
    """Whether both parts are numbers and ``unit`` has more values: then ``best`` may
    be the sentence.
    """
    values, others = set(best.values), set(unit.values)
    numbers = all(value.isdigit() for value in values | others)
    return numbers and len(others) > max(len(values), MOST_TAKES)


def _repeats(unit: NameUnit, emotion: Emotion) -> bool:
    """Whether values repeat with several emotions, as those of speakers who have few
    emotions do.
    """
    values, distinct = emotion.unit.values, set(unit.values)
    each_has_one = len(set(zip(unit.values, values, strict=True))) == len(distinct)
    related = each_has_one or follows(unit.values, values)
    return not related and 2 <= len(distinct) <= len(unit.values) // 2


def coverage(unit: NameUnit, emotion: Emotion) -> float:
    """Share of the emotions that a value has, averaged over files; 0 unless values repeat."""
    kinds: defaultdict[str, set[str]] = defaultdict(set)
    labels = [emotion.labels.get(value, value) for value in emotion.unit.values]
    for value, label in zip(unit.values, labels, strict=True):
        kinds[value].add(label)
    counts, every = Counter(unit.values), len(set(labels))
    if len(counts) < 2 or len(counts) * 2 > len(unit.values):
        return 0.0
    share = sum(len(kinds[v]) * count for v, count in counts.items()) / every
    return share / len(unit.values)


def speaker_score(unit: NameUnit, found: Sequence[Level], emotion: Emotion) -> int:
    """Score of how much a part resembles speakers, as opposed to sentences or takes."""
    values = set(unit.values)
    score = 0 if coverage(unit, emotion) >= WELL_COVERED else -4
    level = next(each for each in found if each.number == unit.level)
    if unit.level != STEM or any(
        one_to_one(unit.values, other.texts) for other in found if other.number != unit.level
    ):
        score += 3
    if _says_speaker(unit, level):
        score += 4
    letters = {plain(value) for value in values}
    digits = all(any(c.isdigit() for c in value) for value in values)
    if digits and any(letters == gender for gender in GENDERS):
        score += 3
    numeric = all(value.isdigit() for value in values)
    if numeric and len(values) == 2:
        score -= 1
    if numeric and unit.level == STEM and unit.stop == len(level.kinds or ()):
        score -= 2
    if len(values) > WORDY and all(value.isalpha() for value in values):
        score -= 2
    return score


def one_to_one(values: Sequence[str], others: Sequence[str]) -> bool:
    """Whether each value belongs to exactly one other value, and vice versa."""
    pairs = set(zip(values, others, strict=True))
    return len(pairs) == len(set(values)) == len(set(others)) > 1


def follows(values: Sequence[str], others: Sequence[str]) -> bool:
    """Whether ``others`` determine ``values``, except for a few names."""
    pairs = Counter(zip(others, values, strict=True))
    usual: dict[str, int] = {}
    for (other, _), count in pairs.items():
        usual[other] = max(usual.get(other, 0), count)
    return sum(usual.values()) >= SAME * len(values)


def find_text(
    found: Sequence[Level], emotion: Emotion, speaker: NameUnit | None
) -> NameUnit | None:
    """The sentence: the first part of the stem with letters that several emotions have.

    Parts with digits only are never chosen, because they are as likely to be takes.
    """
    taken = [emotion.unit, *([speaker] if speaker else [])]
    candidates = [
        unit
        for unit in found[0].units()
        if not any(overlaps(unit, other) for other in taken)
        and len(set(unit.values)) >= FEWEST_TEXTS
        and any(c.isalpha() for value in set(unit.values) for c in value)
        and coverage(unit, emotion) >= COVERED
        and not any(follows(unit.values, other.values) for other in taken)
    ]
    return min(candidates, key=lambda unit: (unit.start, -unit.stop), default=None)


def overlaps(one: NameUnit, other: NameUnit) -> bool:
    """Whether two parts have a piece in common."""
    if one.level != other.level:
        return False
    return one.whole or other.whole or (one.start < other.stop and other.start < one.stop)


def _says_speaker(unit: NameUnit, level: Level) -> bool:
    """Whether the word before a part, or in it, means speakers."""
    words = {plain(value) for value in set(unit.values)}
    if words <= SPEAKER_WORDS:
        return True
    if level.kinds is None or unit.whole:
        return False
    before = "".join(piece.text for piece in level.pieces[0][: unit.start])
    return any(plain(before).endswith(word) for word in SPEAKER_WORDS)
