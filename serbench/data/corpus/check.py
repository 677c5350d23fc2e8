"""Compares a corpus's files with its card."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from serbench.api.corpus import Corpus, CorpusCard, UtteranceRecord
from serbench.errors import CorpusError, joined, listed, numbered, visible

log = logging.getLogger(__name__)

SHOWN = 20
"""Number of problems that one message lists; the others are only counted."""

MANY = 3
"""Number of files with the same fault from which on one line is enough for all of them."""


@dataclass(frozen=True, slots=True)
class CountCheck:
    """A number that a card declares, and the number that was found."""

    what: str
    declared: int
    found: int

    @property
    def difference(self) -> int:
        """Number found minus number declared; below 0 if some are missing."""
        return self.found - self.declared


@dataclass(frozen=True, slots=True)
class CountDifferences:
    """Differences from a card's counts, in words: missing and surplus utterances."""

    missing: tuple[str, ...]
    surplus: tuple[str, ...]


def scan(corpus: Corpus, name: str, folder: Path) -> tuple[UtteranceRecord, ...]:
    """All records of ``folder``, sorted by id, with absolute paths.

    Raises:
        CorpusError: the folder cannot be read, nothing was found, an id occurs twice, the card
            lacks a label, or an utterance has no session although sessions are the fold unit.
    """
    card = corpus.card
    try:
        found = [_absolute(record, folder) for record in corpus.utterances(folder)]
    except OSError as error:
        raise CorpusError(f"{name}: {folder} cannot be read ({error.strerror})") from error
    records = sorted(found, key=lambda record: record.id)
    if not records:
        raise CorpusError(f"{name}: no utterances found in {folder}. {expected(corpus)}")
    problems = repeated(records, folder)
    problems += [
        f"{record.id}: label {record.label!r} is not one of {', '.join(card.labels)}"
        for record in records
        if record.label not in card.labels
    ]
    if card.unit == "session":
        problems += [f"{r.id}: no session" for r in records if r.session is None]
    if problems:
        raise CorpusError(f"{name} in {folder}:\n{listing(problems)}")
    return tuple(records)


def repeated(records: Sequence[UtteranceRecord], folder: Path) -> list[str]:
    """Ids that several records have; if folders have the same files, a sentence names the folders.

    Kaggle's RAVDESS, for instance, has all of ``Actor_*`` a second time in a folder of its own.
    """
    by_id: defaultdict[str, list[Path]] = defaultdict(list)
    for record in records:
        by_id[record.id].append(record.path)
    several = {name: paths for name, paths in by_id.items() if len(paths) > 1}
    places = {name: _copied_from(paths, folder) for name, paths in several.items()}
    counts = Counter(place for place in places.values() if place)
    copied = [
        f"{numbered(count, 'recording')} occur more than once, in "
        f"{joined(each or 'the folder itself' for each in place)}: keep one copy, or give the "
        "folder of one copy with --data-dir"
        for place, count in counts.items()
        if count > 1
    ]
    return copied + [
        f"utterance id {name} is used {len(paths)} times"
        for name, paths in several.items()
        if counts[places[name]] < 2
    ]


def _copied_from(paths: Sequence[Path], folder: Path) -> tuple[str, ...]:
    """Folders that have these files under the same path, if the files have one size; else empty."""
    try:
        if len({path.stat().st_size for path in paths}) > 1:
            return ()
        parts = [list(path.relative_to(folder).parts) for path in paths]
    except (OSError, ValueError):  # does not exist, or is elsewhere
        return ()
    while all(parts) and len({each[-1] for each in parts}) == 1:
        for each in parts:
            each.pop()
    return tuple(sorted("/".join(each) for each in parts))


def missing_files(corpus: Corpus, records: Sequence[UtteranceRecord]) -> tuple[str, ...]:
    """A sentence that names the missing files; empty if the corpus cannot name them."""
    names = corpus.missing(records)
    return (f"missing files: {listed(names, SHOWN)}",) if names else ()


def lost_files(corpus: Corpus, name: str, folder: Path) -> tuple[str, ...]:
    """A sentence on files and folders that may have utterances but cannot be read; else empty.

    A warning reports everything else that is left out.
    """
    left_out = corpus.left_out(folder)
    if told := [str(each) for each in left_out if not each.lost]:
        log.warning("%s in %s: left out: %s", name, folder, listed(told))
    lost = [str(each) for each in left_out if each.lost]
    return (f"cannot be read: {listed(lost, SHOWN)}",) if lost else ()


def card_counts(card: CorpusCard, records: Sequence[UtteranceRecord]) -> tuple[CountCheck, ...]:
    """Numbers that the card declares, and those that were found: total, per label, per speaker."""
    counts: list[CountCheck] = []
    if card.utterances is not None:
        counts.append(CountCheck("utterances", card.utterances, len(records)))
    for what, declared, found in (
        ("label", card.per_label, Counter(record.label for record in records)),
        ("speaker", card.per_speaker, Counter(record.speaker for record in records)),
    ):
        keys = [*declared, *sorted(found.keys() - declared.keys())] if declared else []
        counts += [CountCheck(f"{what} {key}", declared.get(key, 0), found[key]) for key in keys]
    return tuple(counts)


def count_differences(card: CorpusCard, records: Sequence[UtteranceRecord]) -> CountDifferences:
    """All differences from the card's counts: total, per label, per speaker."""
    counts = card_counts(card, records)
    missing = [
        f"{each.what}: {each.found} of {each.declared}, {-each.difference} missing"
        for each in counts
        if each.difference < 0
    ]
    surplus = [
        f"{each.what}: {each.found} instead of {each.declared}, {each.difference} too many"
        for each in counts
        if each.difference > 0
    ]
    if card.per_speaker and (
        foreign := [record.id for record in records if record.speaker not in card.per_speaker]
    ):
        surplus.append(f"utterances of other speakers: {listed(foreign, SHOWN)}")
    return CountDifferences(tuple(missing), tuple(surplus))


@dataclass(frozen=True, slots=True)
class Unusable:
    """An audio file that cannot be used."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{visible(str(self.path))}: {self.reason}"


def problem_lines(problems: Iterable[Unusable]) -> list[str]:
    """One line for each unusable file; files with the same fault share a line if they are many."""
    alike: defaultdict[str, list[Unusable]] = defaultdict(list)
    for problem in problems:
        alike[problem.reason].append(problem)
    return [
        line
        for reason, its in alike.items()
        for line in (
            map(str, its)
            if len(its) < MANY
            else [f"{len(its)} files, such as {visible(str(its[0].path))}: {reason}"]
        )
    ]


def expected(corpus: Corpus) -> str:
    """One sentence on the content of a folder of this corpus."""
    card = corpus.card
    count = "" if card.utterances is None else f" ({card.utterances} utterances)"
    return f"Expected {card.title}{count}: {card.layout or f'its files as on {card.home}'}"


def listing(problems: Sequence[str]) -> str:
    """Problems as indented lines; a long list is cut and the rest counted."""
    lines = [f"  {problem}" for problem in problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"  and {len(problems) - SHOWN} more")
    return "\n".join(lines)


def _absolute(record: UtteranceRecord, folder: Path) -> UtteranceRecord:
    return replace(record, path=(folder / record.path).absolute())
