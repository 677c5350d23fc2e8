"""Reads all names of a folder by a grammar: which fit, and utterances by speaker and emotion."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from string import Formatter

from serbench.api import CorpusError
from serbench.errors import listed
from serbench.protocol.spelling import NOUNS, ONLY, respelled
from serbench.running.adopt.grammar import Grammar
from serbench.running.adopt.names import compiled_pattern

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class ReadName:
    """Facts from one name."""

    name: str
    id: str
    speaker: str
    label: str
    text: str | None
    session: None = None


@dataclass(frozen=True)
class Understood:
    """Facts from all names.

    Attributes:
        readings: facts from the names that fit and are not left out.
        foreign: names that do not fit.
        unlabelled: names whose emotion has no label.
        left_out: names that are dropped or ignored.
    """

    grammar: Grammar
    readings: tuple[ReadName, ...]
    foreign: tuple[str, ...]
    unlabelled: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def counts(self) -> dict[str, Counter[str]]:
        """Utterances of each class by speaker, speakers sorted."""
        found: dict[str, Counter[str]] = {}
        for reading in sorted(self.readings, key=lambda r: r.speaker):
            found.setdefault(reading.speaker, Counter())[reading.label] += 1
        return found

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes, sorted."""
        return tuple(sorted({reading.label for reading in self.readings}))

    def examples(self) -> tuple[ReadName, ...]:
        """A few names, spread over the whole list."""
        step = max(1, len(self.readings) // EXAMPLES)
        return self.readings[::step][:EXAMPLES]


def understand(names: Sequence[str], grammar: Grammar) -> Understood:
    """Read every name as the ``files`` corpus will.

    Raises:
        CorpusError: the pattern is not a regular expression, or a template names a group that the
            pattern lacks.
    """
    pattern = compiled_pattern(grammar.pattern)
    try:
        ignore = re.compile(grammar.ignore or "(?!)")
    except re.error as error:
        raise CorpusError(
            f"--ignore {grammar.ignore} is not a regular expression: {error}"
        ) from error
    _check_templates(grammar, pattern)
    readings: list[ReadName] = []
    foreign, unlabelled, left_out = [], [], []
    for name in names:
        match = pattern.fullmatch(name)
        emotion = match["emotion"] if match and "emotion" in pattern.groupindex else None
        if ignore.fullmatch(name) or emotion in grammar.drop:
            left_out.append(name)
        elif match is None:
            foreign.append(name)
        elif emotion is None or emotion not in grammar.labels:
            unlabelled.append(name)
        else:
            readings.append(_reading(name, match.groupdict(default=""), grammar))
    return Understood(grammar, tuple(readings), tuple(foreign), tuple(unlabelled), tuple(left_out))


def check_understood(found: Understood) -> list[str]:
    """The reasons why these names are not a usable corpus, each with what to do; else empty."""
    grammar = found.grammar
    problems = []
    if not grammar.has_emotion:
        return [
            "serbench cannot determine which part of the names is the emotion: give its values "
            "and labels with --label OLD=NEW, or the whole pattern with --pattern"
        ]
    if grammar.unlabelled:
        problems.append(
            f"{', '.join(grammar.unlabelled)}: unknown emotion; give "
            f"{' '.join(f'--label {value}=…' for value in grammar.unlabelled)} (nothing after = "
            "leaves these files out)"
        )
    if grammar.speakers:
        problems.append(
            "several parts of the names could be the speaker: "
            f"{listed(map(str, grammar.speakers), clauses=True)}; choose one with --speaker "
            "TEMPLATE"
        )
    elif not grammar.speaker:
        problems.append(
            "serbench cannot determine the speaker from the names: give --speaker TEMPLATE of "
            f"{', '.join(_fields(grammar))}, or one name if only one person speaks"
        )
    if found.foreign:
        problems.append(
            f"names that do not fit ({len(found.foreign)}): {listed(found.foreign)}; move these "
            "files elsewhere, give --pattern, or leave them out with --ignore REGEX"
        )
    ids = Counter(reading.id for reading in found.readings)
    twice = [name for name, count in ids.items() if count > 1]
    if not grammar.id or twice:
        problems.append(
            "several files have the same name, in folders with the same name"
            + (f": {listed(twice)}" if grammar.id else "")
            + "; they may be copies: keep one of each"
        )
    if grammar.speaker and (spelled := respelled(found.readings)):
        problems.append(
            f"names that {ONLY}: {listed(f'{NOUNS[each.kind]} {each}' for each in spelled)}; "
            "rename these files or folders, or give --speaker or --text"
        )
    if found.readings and len(found.labels) < 2:
        problems.append(f"all files have the emotion {', '.join(found.labels)}; a corpus needs two")
    return problems


def _check_templates(grammar: Grammar, pattern: re.Pattern[str]) -> None:
    known = {*pattern.groupindex, "stem", "folder"}
    for option, template in (("--speaker", grammar.speaker), ("--text", grammar.text)):
        try:
            used = {field for _, field, _, _ in Formatter().parse(template) if field is not None}
        except ValueError as error:
            raise CorpusError(f"{option} {template!r} is not a template: {error}") from error
        if unknown := sorted(used - known):
            raise CorpusError(
                f"{option} uses {', '.join(map(repr, unknown))}, but the parts are "
                f"{', '.join(_fields(grammar))}"
            )


def _fields(grammar: Grammar) -> list[str]:
    groups = re.findall(r"\(\?P<(\w+)>", grammar.pattern)
    return [f"{{{name}}}" for name in [*groups, "folder", "stem"]]


def _reading(name: str, groups: Mapping[str, str], grammar: Grammar) -> ReadName:
    path = PurePosixPath(name)
    given = {**groups, "stem": path.stem, "folder": path.parent.name}
    return ReadName(
        name,
        grammar.id.format(**given),
        grammar.speaker.format(**given),
        grammar.labels[groups["emotion"]],
        grammar.text.format(**given) or None,
    )
