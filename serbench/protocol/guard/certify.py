"""Runs all checks of the guard on one run, in order, and makes its certificate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from serbench.api import LeakageError
from serbench.data.corpus.table import CorpusTable
from serbench.errors import listed
from serbench.protocol.guard.canary import check_canary
from serbench.protocol.guard.certificate import (
    LEAKS,
    SCHEMA_VERSION,
    Certificate,
    FoldSide,
    FoldSummary,
    LabelReading,
    LeakCheck,
    TestSetRecord,
)
from serbench.protocol.guard.checks import (
    check_audio,
    check_coverage,
    check_duplicates,
    check_near_duplicates,
    check_nested,
    check_segments,
    check_split,
    check_utterances,
    text_overlap,
)
from serbench.protocol.guard.evidence import BREAKS, Evidence
from serbench.protocol.guard.pretraining import provenance_line
from serbench.protocol.guard.seal import Opening
from serbench.protocol.guard.view import FittedRecord, id_set_digest
from serbench.protocol.spelling import check_spelling
from serbench.protocol.splits.groups import natural_key
from serbench.protocol.splits.records import Partition, Split, set_name

Checked = tuple[str, str]
"""Outcome and detail of a check."""


@dataclass(frozen=True)
class _Run:
    """The input of every check."""

    table: CorpusTable
    outer: Sequence[Split]
    nested: Sequence[Sequence[Split]]
    evidence: Evidence

    @property
    def every(self) -> list[Split]:
        return [
            s for top, below in zip(self.outer, self.nested, strict=True) for s in (top, *below)
        ]

    @property
    def splits(self) -> str:
        return f"{len(self.outer)} outer and {len(self.every) - len(self.outer)} inner folds"


def certify(
    table: CorpusTable,
    outer: Sequence[Split],
    inner: Sequence[Sequence[Split]] = (),
    evidence: Evidence | None = None,
) -> Certificate:
    """Run every check of the guard on a run, and return the results.

    Before a run, only the folds are checked (the other checks are "not run"). After the run, with
    evidence of what was done, everything is checked.

    Args:
        table: the corpus.
        outer: all outer folds.
        inner: the inner folds of each outer fold, in the same order; empty without a search.
        evidence: what was done in the run.

    Raises:
        LeakageError: there is a leak that the protocol does not have on purpose; it has a code.
    """
    shown = evidence or Evidence()
    run = _Run(table, outer, [list(s) for s in inner] or [[] for _ in outer], shown)
    broken = BREAKS[shown.protocol]
    return Certificate(
        schema_version=SCHEMA_VERSION,
        plan_digest=shown.plan_digest,
        protocol=shown.protocol,
        corpus=table.name,
        corpus_digest=table.digest,
        unit=table.card.unit,
        utterances=len(table.utterances),
        units=tuple(sorted(table.units, key=natural_key)),
        dropped=tuple(shown.dropped),
        evaluated=table.evaluated,
        incomplete=table.incomplete,
        made=table.made,
        folds=tuple(
            FoldSummary(name=s.name, train=_side(s.train), test=_side(s.test)) for s in run.every
        ),
        test_sets=tuple(
            TestSetRecord(fold=split.name, name=set_name(part), **_side(part).model_dump())
            for split in outer
            for part in split.test_sets
        ),
        fitted=_in_order(shown.fitted),
        teachers=tuple(each.record for each in shown.teachers or ()),
        students=tuple(each.record for each in shown.students),
        front_ends=tuple(each.record for each in shown.front_ends),
        audio=shown.audio,
        searches=tuple(sorted(shown.searches, key=lambda s: (s.method, s.seed, s.outer))),
        readings=tuple(map(_reading, shown.openings)),
        canary=tuple(shown.canary),
        checks=tuple(_checked(code, run, broken) for code in LEAKS),
    )


def _in_order(fitted: Sequence[FittedRecord]) -> tuple[FittedRecord, ...]:
    """Sort the records and remove repeated ones."""
    return tuple(sorted(set(fitted), key=lambda r: (r.partition, r.what, r.utterances, r.digest)))


def _reading(opening: Opening) -> LabelReading:
    return LabelReading(
        method=opening.method,
        outer=opening.outer,
        seed=opening.seed,
        predictions_digest=opening.predictions_digest,
    )


def _side(partition: Partition) -> FoldSide:
    return FoldSide(
        units=partition.units,
        utterances=len(partition.ids),
        digest=id_set_digest(partition.ids),
    )


def _checked(code: str, run: _Run, broken: frozenset[str]) -> LeakCheck:
    """Run one check. A leak that the protocol has on purpose is recorded; any other raises."""
    try:
        outcome, detail = CHECKS[code](run)
    except LeakageError as error:
        if error.code not in broken or error.code != code:
            raise
        found = f"{error.reason}: {len(error.units)}" if error.units else error.reason
        outcome, detail = f"broken on purpose: {found}", ", ".join(error.units[:8])
    return LeakCheck(code=code, leak=LEAKS[code], outcome=outcome, detail=detail)


def _units(run: _Run) -> Checked:
    for split in run.every:
        check_split(split, run.table)
    declared = check_spelling(run.table)
    told = f"; {listed(declared)} are different, as the card declares" if declared else ""
    return "passed", f"{run.splits}, grouped by {run.table.card.unit}{told}"


def _coverage(run: _Run) -> Checked:
    for split in run.every:
        check_utterances(split, run.table)
    only = run.evidence.trained_only
    check_coverage(run.outer, run.table, only)
    count = len(run.table.utterances) - len(only)
    detail = f"{run.splits}; each of {count} utterances is tested once"
    return "passed", f"{detail}, {len(only)} others are for training only" if only else detail


def _segments(run: _Run) -> Checked:
    segments = run.evidence.segments
    if not segments:
        return "not run: no segments were given", ""
    for partition, windows in segments:
        check_segments(windows, partition, run.table)
    total = sum(len(windows) for _, windows in segments)
    return "passed", f"{total} segments of {len(segments)} partitions"


def _copies(run: _Run) -> Checked:
    for split in run.every:
        check_duplicates(split, run.table)
    distinct = len({u.pcm_sha256 for u in run.table.utterances})
    count = len(run.table.utterances)
    return "passed", f"{run.splits}; {distinct} distinct recordings among {count} utterances"


def _near(run: _Run) -> Checked:
    near = run.evidence.near
    if near is None:
        return "not run: the recordings were not compared", ""
    for split in run.every:
        check_near_duplicates(split, near)
    found = f"{len(near)} pairs, none of them across a fold" if near else "no pair"
    detail = f"{run.splits}; {len(run.table.utterances)} recordings compared, {found}"
    audio = run.evidence.audio
    if audio is None:
        return "passed", detail
    check_audio(run.evidence.copied)
    return "passed", f"{detail}; no copy of any in {audio.recordings} unlabelled recordings"


def _fitted(run: _Run) -> Checked:
    """L6: inner folds stay in their outer fold, and each fit used exactly one training side."""
    for top, below in zip(run.outer, run.nested, strict=True):
        for split in below:
            check_nested(split, top)
    records = run.evidence.fitted
    if not records:
        return "not run: nothing was fitted", ""
    sides = {split.train.name: _side(split.train) for split in run.every}
    foreign = [r for r in records if r.partition not in sides]
    if foreign:
        raise LeakageError(
            "L6", "fitted or chosen on what is no training side", sorted(map(_said, foreign))
        )
    other = [
        r
        for r in records
        if (r.utterances, r.digest) != (sides[r.partition].utterances, sides[r.partition].digest)
    ]
    if other:
        raise LeakageError(
            "L6",
            "fitted on other utterances than the training side's own",
            sorted(map(_said, other)),
        )
    touched = len({record.partition for record in records})
    return "passed", f"{len(set(records))} fitted things on {touched} training partitions"


def _said(record: FittedRecord) -> str:
    return f"{record.what} on {record.partition} ({record.utterances} utterances)"


def _teachers(run: _Run) -> Checked:
    teachers = run.evidence.teachers
    if teachers is None:
        return "not run: what teachers were trained on was not compared with the corpus", ""
    others = (*run.evidence.students, *run.evidence.front_ends)
    teachers = (*teachers, *(each.found for each in others))
    if not teachers:
        return "passed", "no teacher"
    said = "; ".join(
        provenance_line(each, run.table.evaluated or run.table.name) for each in teachers
    )
    outcomes = {"overlap": "allowed", "undeclared": "undeclared", "undisclosed": "undisclosed"}
    for status, outcome in outcomes.items():
        if named := [each.teacher for each in teachers if each.status == status]:
            return f"{outcome}: {', '.join(named)}", said
    return "passed", said


def _readings(run: _Run) -> Checked:
    """L8: the ledger has one opening for each method, fold and seed, all for folds of this run."""
    openings = run.evidence.openings
    if not openings:
        return "not run: no outer test labels were read", ""
    sides = {split.test.name: id_set_digest(split.test.ids) for split in run.outer}
    for opening in openings:
        if sides.get(opening.partition) != opening.ids_digest:
            raise LeakageError(
                "L8",
                f"the ledger has {opening.partition}, read for {opening.method}, which is not an "
                "outer test side of this run",
            )
    methods = len({opening.method for opening in openings})
    return "passed", f"{len(openings)} readings of {methods} methods, one per fold and seed"


def _texts(run: _Run) -> Checked:
    overlaps = [overlap for split in run.outer if (overlap := text_overlap(split, run.table))]
    if not overlaps:
        return "not run: the corpus does not say which sentences are spoken", ""
    heard, tested = sum(o.heard for o in overlaps), sum(o.tested for o in overlaps)
    sentences = len({text for overlap in overlaps for text in overlap.shared})
    return "measured", (
        f"{heard} of {tested} test utterances ({100 * heard / tested:.1f} %) speak a sentence "
        f"that is also in training; {sentences} such sentences"
    )


def _canary(run: _Run) -> Checked:
    results = run.evidence.canary
    if not results:
        return "not run: the run was not repeated on permuted labels; --canary does it", ""
    check_canary(results)
    said = "; ".join(str(result) for result in results)
    return "passed", f"{said}; chance {100 * results[0].chance:.1f} %"


CHECKS: Mapping[str, Callable[[_Run], Checked]] = {
    "L1": _units,
    "L2": _coverage,
    "L3": _segments,
    "L4": _copies,
    "L5": _near,
    "L6": _fitted,
    "L7": _teachers,
    "L8": _readings,
    "L9": _texts,
    "L10": _canary,
}
