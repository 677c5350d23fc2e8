"""Findings on folds: whether they can be made, what each lacks, and sentences on both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from serbench.api import SplitError
from serbench.checks.finding import Finding, Outcome, Unit, named
from serbench.checks.survey.records import plain_table
from serbench.data.corpus.table import CorpusTable
from serbench.errors import listed, numbered
from serbench.protocol.guard.checks import text_overlap
from serbench.protocol.splits.groups import natural_key
from serbench.protocol.splits.records import Split
from serbench.running.harness.folds import make_folds
from serbench.settings import ProtocolSettings

FEW_UNITS = 6
"""With fewer speakers, no test over speakers reaches 5 %: five differences have 32 combinations of
signs, and the two most extreme are 6 % of them.
"""


def check_units(table: CorpusTable) -> Finding:
    """Whether speaker-independent folds are possible, with enough speakers for an interval."""
    noun, units = table.card.unit, sorted(table.units, key=natural_key)
    if len(units) == 1:
        return Finding(
            "units", "failed",
            f"There is one {noun}, {units[0]}: no unseen {noun} can be tested.",
            f"Use a corpus with more {noun}s, or add some: one voice does not represent others.",
            named(units),
        )  # fmt: skip
    owners = {
        label: {table.unit_of(u) for u in table.utterances if u.label == label}
        for label in table.labels
    }
    lonely = [Unit(label, next(iter(own))) for label, own in owners.items() if len(own) == 1]
    if lonely:
        return Finding(
            "units", "failed",
            f"{numbered(len(lonely), 'class', 'classes')} of one {noun} only: "
            f"{', '.join(map(str, lonely))}. When that {noun} is tested, training has no "
            "utterance of the class.",
            "Leave the class out, or add speakers with it.", tuple(lonely),
        )  # fmt: skip
    outcome: Outcome = "passed"
    what, advice = f"{len(units)} {noun}s: speaker-independent folds are possible.", ""
    if len(units) == 2:
        outcome = "warning"
        what = f"There are two {noun}s, so only two folds are possible."
        advice = (
            "Each fold trains on one voice and tests one, so a confidence interval over "
            "speakers means nothing. Report both scores, without significance."
        )
    elif len(units) < FEW_UNITS:
        outcome = "note"
        what = f"There are only {len(units)} {noun}s: no test over them can reach p = 0.05."
        advice = "Expect wide confidence intervals, and also compare methods on a larger corpus."
    return Finding("units", outcome, what, advice)


def outer_folds(table: CorpusTable, folds: str) -> tuple[Split, ...]:
    """The outer folds that a run would use.

    Raises:
        SplitError: the folds cannot be made.
    """
    return make_folds(table, folds, ProtocolSettings(), (), False).outer


def cannot_be_made(folds: str, error: SplitError) -> Finding:
    """The finding that replaces that of ``check_folds`` if there are no folds."""
    return Finding(
        "folds", "failed", f"The folds {folds!r} cannot be made: {error}.",
        "No run on this corpus can start before this is resolved.",
    )  # fmt: skip


def check_folds(table: CorpusTable, folds: str, outer: Sequence[Split]) -> Finding:
    """Classes on each side of the outer folds."""
    rows, absent = [], []
    for split in outer:
        counts = Counter(table.by_id[i].label for i in split.test.ids)
        lacking = [label for label in table.labels if not counts[label]]
        if lacking:
            absent.append(Unit(split.name, f"lacks {', '.join(lacking)}"))
        units = listed(split.test.units)
        cells = (str(counts[label]) for label in table.labels)
        rows.append(
            (split.name, units, *cells, str(len(split.test.ids)), str(len(split.train.ids)))
        )
    columns = ("Fold", f"Test {table.card.unit}s", *table.labels, "Tested", "Training")
    caption = f"Test utterances by class: {folds}"
    tables = (plain_table("folds", caption, columns, rows, columns[1:2]),)
    fewest = min(
        (Counter(table.by_id[i].label for i in split.test.ids)[label], label, split.name)
        for split in outer
        for label in table.labels
    )
    told = f"{numbered(len(outer), 'fold')} ({folds})"
    if not absent:
        return Finding(
            "folds", "passed",
            f"{told}: every class is on both sides of each fold; the smallest has "
            f"{numbered(fewest[0], 'test utterance')} of {fewest[1]} ({fewest[2]}).",
            tables=tables,
        )  # fmt: skip
    return Finding(
        "folds",
        "note",
        f"{told}: {len(absent)} of them do not test every class.",
        "UA pooled over all test utterances is not affected. UA of a single fold leaves out "
        "missing classes: say so if you report it.",
        tuple(absent),
        tables=tables,
    )


def check_sentence_overlap(table: CorpusTable, outer: Sequence[Split]) -> Finding | None:
    """L9 over the outer folds; None if no sentence is known."""
    measured = [each for split in outer if (each := text_overlap(split, table)) is not None]
    if not measured:
        return None
    heard, tested = sum(m.heard for m in measured), sum(m.tested for m in measured)
    rows = tuple(
        (
            m.split,
            str(m.heard),
            str(m.tested),
            f"{100 * m.heard / m.tested:.1f}",
            str(len(m.shared)),
        )
        for m in measured
    )
    columns = ("Fold", "Sentence in training", "Tested", "%", "Shared sentences")
    tables = (plain_table("folds", "Test utterances whose sentence is in training", columns, rows),)
    what = (
        f"{100 * heard / tested:.1f} % of test utterances ({heard} of {tested}) have a "
        "sentence that is also in training, spoken by others."
    )
    if not heard:
        return Finding("sentence-overlap", "passed", what, tables=tables)
    return Finding(
        "sentence-overlap", "note", what,
        "Every table reports it. For scores on unseen sentences: --set protocol.group_by=text.",
        tables=tables,
    )  # fmt: skip
