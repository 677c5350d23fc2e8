"""What a corpus's files say, held against what its card declares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from serbench.api.corpus import Corpus, CorpusCard, UtteranceRecord
from serbench.errors import CorpusError

SHOWN = 20
"""Problems that one message lists before it only counts the rest."""


@dataclass(frozen=True, slots=True)
class CountDifferences:
    """Declared against found, in words: what is missing, and what should not be there."""

    missing: tuple[str, ...]
    surplus: tuple[str, ...]


def scan(corpus: Corpus, name: str, folder: Path) -> tuple[UtteranceRecord, ...]:
    """All records of ``folder``, sorted by id, with absolute paths.

    Raises:
        CorpusError: nothing found, an id twice, a label that the card lacks, an utterance
            without a session where sessions are the fold unit.
    """
    card = corpus.card
    try:
        found = [_absolute(record, folder) for record in corpus.utterances(folder)]
    except OSError as error:
        raise CorpusError(f"{name}: {folder} cannot be read ({error.strerror})") from error
    records = sorted(found, key=lambda record: record.id)
    if not records:
        raise CorpusError(f"{name}: no utterances in {folder}. {expected(corpus)}")
    problems = [
        f"utterance id {identity} is used {count} times"
        for identity, count in Counter(record.id for record in records).items()
        if count > 1
    ]
    problems += [
        f"{record.id}: label {record.label!r} is none of {', '.join(card.labels)}"
        for record in records
        if record.label not in card.labels
    ]
    if card.unit == "session":
        problems += [f"{r.id}: has no session" for r in records if r.session is None]
    if problems:
        raise CorpusError(f"{name} in {folder}:\n{listing(problems)}")
    return tuple(records)


def missing_files(corpus: Corpus, records: Sequence[UtteranceRecord]) -> tuple[str, ...]:
    """A sentence that names the files that are missing; nothing where the corpus cannot tell."""
    names = corpus.missing(records)
    return (f"missing files: {named(names)}",) if names else ()


def named(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def count_differences(card: CorpusCard, records: Sequence[UtteranceRecord]) -> CountDifferences:
    """Every difference from the card's counts: in all, per label, per speaker."""
    missing: list[str] = []
    surplus: list[str] = []
    if card.utterances is not None:
        _compare("utterances", card.utterances, len(records), missing, surplus)
    labels = Counter(record.label for record in records)
    speakers = Counter(record.speaker for record in records)
    _compare_all("label", card.per_label, labels, missing, surplus)
    _compare_all("speaker", card.per_speaker, speakers, missing, surplus)
    if card.per_speaker and (
        foreign := [record.id for record in records if record.speaker not in card.per_speaker]
    ):
        surplus.append(f"utterances of other speakers: {named(foreign)}")
    return CountDifferences(tuple(missing), tuple(surplus))


def expected(corpus: Corpus) -> str:
    """One sentence on what a folder of this corpus holds."""
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


def _compare_all(
    what: str,
    declared: Mapping[str, int],
    found: Mapping[str, int],
    missing: list[str],
    surplus: list[str],
) -> None:
    if not declared:
        return
    for key in _union(declared, found):
        _compare(f"{what} {key}", declared.get(key, 0), found.get(key, 0), missing, surplus)


def _union(declared: Iterable[str], found: Iterable[str]) -> list[str]:
    return list(declared) + sorted(set(found) - set(declared))


def _compare(what: str, declared: int, found: int, missing: list[str], surplus: list[str]) -> None:
    if found < declared:
        missing.append(f"{what}: {found} of {declared}, {declared - found} missing")
    elif found > declared:
        surplus.append(f"{what}: {found} instead of {declared}, {found - declared} too many")
