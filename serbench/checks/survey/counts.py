"""Counts: files against the card, classes against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from serbench.api import CorpusCard, UtteranceRecord
from serbench.checks.finding import Finding, named, numbered
from serbench.checks.survey.records import evidence

UNEVEN = 3.0
"""From this ratio of the largest to the smallest class on, WA and UA part: a note."""

VERY_UNEVEN = 10.0
"""From here on, UA hangs on the few utterances of the smallest class: a warning."""


def check_counts(
    card: CorpusCard,
    records: Sequence[UtteranceRecord],
    missing: Sequence[str] = (),
    allow_incomplete: bool = False,
) -> Finding:
    """Files against the card's counts.

    Args:
        card: what the corpus declares.
        records: what was found.
        missing: names of files that are not there, where the corpus can tell.
        allow_incomplete: a corpus that lacks files is what is meant.
    """
    labels = Counter(record.label for record in records)
    speakers = Counter(record.speaker for record in records)
    rows = [
        *_compared("in all", {"utterances": card.utterances or 0}, {"utterances": len(records)}),
        *_compared("label", card.per_label, labels),
        *_compared("speaker", card.per_speaker, speakers),
    ]
    if not rows:
        return Finding(
            "counts", "note",
            f"The card declares no counts; {len(records)} utterances of "
            f"{numbered(len(speakers), 'speaker')} were found.",
            "Write utterances, per_label and per_speaker into the card, so that a file that gets "
            "lost is noticed.",
        )  # fmt: skip
    wrong = [row for row in rows if row[3] != "0"]
    if not wrong:
        return Finding(
            "counts", "passed",
            f"{len(records)} utterances of {numbered(len(speakers), 'speaker')} in "
            f"{numbered(len(labels), 'class', 'classes')}, as the card declares.",
        )  # fmt: skip
    columns = ("Of", "Declared", "Found", "Difference")
    tables = (evidence("counts", "Counts that differ from the card", columns, wrong),)
    surplus = any(not row[3].startswith("−") for row in wrong)
    outcome = "warning" if allow_incomplete and not surplus else "failed"
    advice = f"Fetch the corpus again from {card.home}"
    advice += ", and move what is not part of it elsewhere." if surplus else "."
    if not surplus:
        advice += " Runs go on without them under --allow-incomplete, and every table says so."
    what = f"{numbered(len(wrong), 'count')} of {len(rows)} differ from the card: {_first(wrong)}."
    return Finding("counts", outcome, what, advice, named(missing), evidence=tables)


def check_balance(card: CorpusCard, labels: Sequence[str]) -> Finding:
    """Classes against each other.

    Args:
        card: whose classes they are.
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
    tables = (evidence("by-class", "Utterances of each class", columns, rows),)
    if not counts[fewest]:
        empty = [label for label in card.labels if not counts[label]]
        return Finding(
            "balance", "failed",
            f"{numbered(len(empty), 'class has', 'classes have')} no utterance: "
            f"{', '.join(empty)}.",
            "Complete the corpus, or take the class out of its labels.", named(empty),
            evidence=tables,
        )  # fmt: skip
    ratio = counts[most] / counts[fewest]
    what = (
        f"The largest class, {most}, has {counts[most]} utterances, the smallest, {fewest}, "
        f"{counts[fewest]}: {ratio:.1f} times as many."
    )
    if ratio == 1:
        what = f"Every class has {numbered(counts[most], 'utterance')}."
    if ratio < UNEVEN:
        return Finding("balance", "passed", what, evidence=tables)
    advice = (
        f"Read UA and not WA: who always answers {most} has a WA of {_share(counts[most], labels)}."
    )
    outcome = "warning" if ratio >= VERY_UNEVEN else "note"
    return Finding("balance", outcome, what, advice, evidence=tables)


def _share(count: int, labels: Sequence[str]) -> str:
    return f"{100 * count / len(labels):.1f} %"


def _compared(
    what: str, declared: Mapping[str, int], found: Mapping[str, int]
) -> Iterator[tuple[str, str, str, str]]:
    """Rows of one kind of counts; none where the card declares none."""
    if not any(declared.values()):
        return
    for key in [*declared, *sorted(set(found) - set(declared))]:
        want, have = declared.get(key, 0), found.get(key, 0)
        name = key if what == "in all" else f"{what} {key}"
        yield name, str(want), str(have), f"{have - want:+d}".replace("-", "−").replace("+0", "0")


def _first(rows: Sequence[tuple[str, str, str, str]]) -> str:
    name, want, have, _ = rows[0]
    return f"{name} {have} instead of {want}"
