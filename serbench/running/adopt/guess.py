"""Guesses a grammar from names: which part is the emotion, the speaker, the sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from serbench.api import CorpusError
from serbench.running.adopt.grammar import Grammar, NamePart, SpeakerCandidate
from serbench.running.adopt.names import compiled_pattern, split_path
from serbench.running.adopt.roles import find_emotion, find_speakers, find_text, overlaps
from serbench.running.adopt.units import STEM, Level, NameUnit, levels
from serbench.running.adopt.words import initials_of, label_of
from serbench.running.registry.lookup import Registry

SAMPLE = 200
"""Number of names by which a known corpus is recognised."""


def guess(
    names: Sequence[str],
    given: Mapping[str, str] | None = None,
    speaker: str | None = None,
    text: str | None = None,
) -> Grammar:
    """The grammar of some names.

    Args:
        names: paths of audio files with ``/``; at least one name.
        given: the user's values of the emotion and their labels; files with an empty label
            are left out.
        speaker: template from the user.
        text: template from the user.

    Returns:
        The grammar; parts that were not found are empty.
    """
    given = given or {}
    _, found = levels(names)
    emotion = find_emotion(found, given)
    if emotion is None:
        apart = [found[0].with_letters_apart(), *found[1:]]
        emotion = find_emotion(apart, given)
        found = found if emotion is None else apart
    speak = find_speakers(found, emotion) if emotion is not None and speaker is None else []
    speaks = speak[0] if len(speak) == 1 else None
    says = find_text(found, emotion, speaks) if emotion is not None and text is None else None
    named = {
        key: unit
        for key, unit in (
            ("emotion", emotion.unit if emotion else None), ("speaker", speaks), ("text", says)
        )
        if unit is not None
    }  # fmt: skip
    pattern, parts = write_pattern(found, named, names)
    labels: dict[str, str | None] = dict.fromkeys(emotion.unit.values) if emotion else {}
    labels |= emotion.labels if emotion else {}
    if text is None and speaker is not None and "{text}" in speaker:
        text = ""  # the part that was guessed to be the sentence names the speaker
    grammar = _grammar(names, pattern, dict(sorted(labels.items())), parts, speaker, text)
    if speaks is None:
        grammar = replace(grammar, speakers=tuple(_candidate(unit, found, parts) for unit in speak))
    return grammar


def _candidate(
    unit: NameUnit, found: Sequence[Level], parts: Sequence[NamePart]
) -> SpeakerCandidate:
    """A part of the names, as the option ``--speaker`` would name it."""
    counts = Counter(unit.values)
    if unit.level != STEM:
        return SpeakerCandidate("{folder}" if unit.level == 0 and unit.whole else "", counts)
    pieces = found[0].pieces[0]
    groups = {part.place: f"{{{part.group}}}" for part in parts}
    if (whole := groups.get((STEM, unit.start, unit.stop))) is not None:
        return SpeakerCandidate(whole, counts)
    told = [groups.get((STEM, at, at + 1), pieces[at].text) for at in range(unit.start, unit.stop)]
    return SpeakerCandidate("".join(told), counts)


def described(
    names: Sequence[str],
    pattern: str,
    given: Mapping[str, str],
    speaker: str | None = None,
    text: str | None = None,
) -> Grammar:
    """The grammar of a pattern from the user; arguments as for ``guess``.

    Raises:
        CorpusError: the pattern is not a regular expression, or has no group ``emotion``.
    """
    compiled = compiled_pattern(pattern)
    groups = tuple(compiled.groupindex)
    if "emotion" not in groups:
        raise CorpusError(
            f"--pattern {pattern} has no group (?P<emotion>…): which part is the emotion?"
        )
    matches = [match for name in names if (match := compiled.fullmatch(name))]
    parts = tuple(
        NamePart(group, tuple(sorted({match[group] or "" for match in matches})))
        for group in groups
    )
    values = next(part.values for part in parts if part.group == "emotion")
    labels = {v: given[v] if v in given else label_of(v) for v in values}
    if not given and None in labels.values():
        labels |= initials_of(values) or {}
    return _grammar(names, pattern, labels, parts, speaker, text)


def _grammar(
    names: Sequence[str],
    pattern: str,
    labels: Mapping[str, str | None],
    parts: tuple[NamePart, ...],
    speaker: str | None,
    text: str | None,
) -> Grammar:
    """A grammar with guessed templates for those not given. A label may be unknown, or empty: then
    its files are left out.
    """
    groups = {part.group for part in parts}
    own = {key: f"{{{key}}}" if key in groups else "" for key in ("speaker", "text")}
    own |= {key: said for key, said in (("speaker", speaker), ("text", text)) if said is not None}
    return Grammar(
        pattern=pattern,
        labels={value: label for value, label in labels.items() if label},
        unlabelled=tuple(value for value, label in labels.items() if label is None),
        speaker=own["speaker"],
        text=own["text"],
        id=unique_id(names) or (f"{own['speaker']}-{{folder}}-{{stem}}" if own["speaker"] else ""),
        parts=parts,
        drop=tuple(value for value, label in labels.items() if label == ""),
    )


def write_pattern(
    found: Sequence[Level], named: Mapping[str, NameUnit], names: Sequence[str]
) -> tuple[str, tuple[NamePart, ...]]:
    """The names as a regular expression, and the groups of this expression.

    Other pieces of the stem are called ``part1``, ``part2``, … Folders are included as far up as
    they contain facts.
    """
    top = max((unit.level for unit in named.values()), default=STEM)
    expressions, parts = [], []
    number = 0
    for level in sorted((each for each in found if each.number <= top), key=lambda e: -e.number):
        own = {
            (0, 0) if unit.whole else (unit.start, unit.stop): (key, unit)
            for key, unit in named.items()
            if unit.level == level.number
        }
        if level.number == STEM:
            for unit in level.units():
                if unit.stop - unit.start == 1 and not any(
                    overlaps(unit, u) for _, u in own.values()
                ):
                    number += 1
                    own[unit.start, unit.stop] = f"part{number}", unit
        keys = {span: key for span, (key, _) in own.items()}
        expressions.append(level.expression(keys))
        parts += [
            NamePart(key, _sorted(unit), (unit.level, unit.start, unit.stop))
            for _, (key, unit) in sorted(own.items())
        ]
    endings = sorted({name.rpartition(".")[2] for name in names})
    ending = endings[0] if len(endings) == 1 else f"(?:{'|'.join(endings)})"
    return "/".join(expressions) + rf"\.{ending}", tuple(parts)


def unique_id(names: Sequence[str]) -> str:
    """A template of ids that no two names share; empty if folders alone do not help."""
    split = [split_path(name) for name in names]
    if len({stem for _, stem in split}) == len(names):
        return "{stem}"
    deeper = {(folders[0] if folders else "", stem) for folders, stem in split}
    return "{folder}-{stem}" if len(deeper) == len(names) else ""


def known_as(names: Sequence[str], registry: Registry) -> str | None:
    """A dataset of the registry whose grammar fits these names; None if there is no such
    dataset.
    """
    sample = names[:: -(-len(names) // SAMPLE)]
    for name, spec in registry.datasets.items():
        if spec.path is not None:  # this entry is the user's own, and for another folder
            continue
        if _reads(registry, name, sample):
            return name
    return None


def _reads(registry: Registry, name: str, sample: Sequence[str]) -> bool:
    """Whether a dataset's grammar gives speaker and emotion for all these names."""
    try:
        corpus = registry.make("corpora", name)
        read = [corpus.read_name(each) for each in sample]
    except Exception:  # an unusable entry, or a grammar that someone else wrote, fits nothing
        return False
    # A grammar that gives no emotion could fit the names of any corpus.
    return all(record is not None and record.label for record in read)


def _sorted(unit: NameUnit) -> tuple[str, ...]:
    return tuple(sorted(set(unit.values)))
