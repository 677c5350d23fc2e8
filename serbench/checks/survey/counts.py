"""Counts: files compared with the card, and classes with each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from serbench.api import CorpusCard, UtteranceRecord
from serbench.checks.finding import Finding, named, spelled_units
from serbench.checks.survey.records import plain_table
from serbench.data.corpus.check import card_counts
from serbench.errors import joined, numbered
from serbench.protocol.spelling import NOUNS, ONLY, respelled, way_out

UNEVEN = 3.0
"""From this ratio of the largest class to the smallest on, WA and UA differ: a note."""

VERY_UNEVEN = 10.0
"""From this ratio on, UA depends on the few utterances of the smallest class: a warning."""


def check_counts(
    card: CorpusCard,
    records: Sequence[UtteranceRecord],
    missing: Sequence[str] = (),
    lost: Sequence[str] = (),
    allow_incomplete: bool = False,
) -> Finding:
    """Compare files with the card's counts.

    Args:
        card: facts that the corpus declares.
        records: the utterances found.
        missing: names of missing files, if the corpus knows them.
        lost: sentences about parts of the folder that cannot be read.
        allow_incomplete: files are missing on purpose.
    """
    labels = {record.label for record in records}
    speakers = {record.speaker for record in records}
    counts = card_counts(card, records)
    if lost:
        return Finding(
            "counts",
            "warning" if allow_incomplete else "failed",
            f"{len(records)} utterances were found, and others may exist: {'; '.join(lost)}.",
            "Make these readable, or remove them. With --allow-incomplete, runs use the corpus "
            "without them, and every table says so.",
            named(missing),
        )
    if not counts:
        return Finding(
            "counts", "note",
            f"The card declares no counts; {len(records)} utterances of "
            f"{numbered(len(speakers), 'speaker')} were found.",
            "Add utterances, per_label and per_speaker to the card, so that a lost file is "
            "noticed.",
        )  # fmt: skip
    wrong = [each for each in counts if each.difference]
    if not wrong:
        return Finding(
            "counts", "passed",
            f"{len(records)} utterances of {numbered(len(speakers), 'speaker')} in "
            f"{numbered(len(labels), 'class', 'classes')}, as the card declares.",
        )  # fmt: skip
    rows = [
        (each.what, str(each.declared), str(each.found), f"{each.difference:+d}".replace("-", "−"))
        for each in wrong
    ]
    columns = ("Of", "Declared", "Found", "Difference")
    tables = (plain_table("counts", "Counts that differ from the card", columns, rows),)
    surplus = any(each.difference > 0 for each in wrong)
    outcome = "warning" if allow_incomplete and not surplus else "failed"
    advice = f"Download the corpus again from {card.home}"
    advice += ", and move files that are not part of it elsewhere." if surplus else "."
    if not surplus:
        advice += (
            " With --allow-incomplete, runs use the corpus without them, and every table says so."
        )
    first = f"{wrong[0].what} {wrong[0].found} instead of {wrong[0].declared}"
    what = f"{numbered(len(wrong), 'count')} of {len(counts)} differ from the card: {first}."
    return Finding("counts", outcome, what, advice, named(missing), tables=tables)


def check_names(card: CorpusCard, records: Sequence[UtteranceRecord]) -> Finding:
    """Whether a speaker, a session or a sentence has a name in several spellings.

    Args:
        card: may declare names that are spelled alike as different.
        records: the utterances found.
    """
    found = respelled(records, card.different)
    if not found:
        return Finding("names", "passed", "Every speaker, session and sentence has one spelling.")
    kinds = [NOUNS[each.kind] for each in found]
    told = joined([numbered(kinds.count(noun), noun) for noun in dict.fromkeys(kinds)])
    what = f"{told} in several spellings: names that {ONLY}. The first: {found[0]}."
    return Finding("names", "failed", what, f"{way_out(found[0])}.", spelled_units(found))


def check_balance(card: CorpusCard, labels: Sequence[str]) -> Finding:
    """Compare classes with each other.

    Args:
        card: its classes.
        labels: of all utterances.
    """
    counts = Counter(labels)
    most, fewest = (
        max(card.labels, key=lambda c: counts[c]),
        min(card.labels, key=lambda c: counts[c]),
    )
    rows = tuple(
        (label, str(counts[label]), f"{100 * counts[label] / max(1, len(labels)):.1f}")
        for label in card.labels
    )
    columns = ("Class", "Utterances", "%")
    tables = (plain_table("by-class", "Utterances of each class", columns, rows),)
    if not counts[fewest]:
        empty = [label for label in card.labels if not counts[label]]
        return Finding(
            "balance", "failed",
            f"{numbered(len(empty), 'class has', 'classes have')} no utterance: "
            f"{', '.join(empty)}.",
            "Complete the corpus, or remove the class from its labels.", named(empty),
            tables=tables,
        )  # fmt: skip
    ratio = counts[most] / counts[fewest]
    what = (
        f"The largest class, {most}, has {counts[most]} utterances; the smallest, {fewest}, has "
        f"{counts[fewest]} (ratio {ratio:.1f})."
    )
    if ratio == 1:
        what = f"Every class has {numbered(counts[most], 'utterance')}."
    if ratio < UNEVEN:
        return Finding("balance", "passed", what, tables=tables)
    advice = f"Use UA, not WA: always answering {most} reaches {_share(counts[most], labels)} WA."
    outcome = "warning" if ratio >= VERY_UNEVEN else "note"
    return Finding("balance", outcome, what, advice, tables=tables)


def _share(count: int, labels: Sequence[str]) -> str:
    return f"{100 * count / len(labels):.1f} %"
