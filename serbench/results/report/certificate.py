"""A certificate as a page for people, and the JSON Schema of ``certificate.json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from serbench.errors import listed
from serbench.protocol.guard.canary import CanaryResult
from serbench.protocol.guard.certificate import (
    Certificate,
    FoldSide,
    FoldSummary,
    FrontEndRecord,
    LeakCheck,
    StudentRecord,
    TeacherRecord,
)
from serbench.protocol.guard.view import FittedRecord
from serbench.protocol.splits.groups import natural_key
from serbench.results.report.marks import LEAKS, marked, warning_lines
from serbench.results.report.searches import search_tables
from serbench.results.report.settings import duration
from serbench.results.table.columns import Column, make_table, text_table
from serbench.results.table.formats import Format, Tone, percent
from serbench.results.table.table import Table
from serbench.results.templating import templates

SHOWN = 12
"""Number of digits of a digest that a table shows; ``certificate.json`` has all of them."""

SHOWN_UNITS = 40
"""Number of speakers or sessions of a side that are named; ``certificate.json`` has all."""

LISTED = 20
"""Number of ids that are listed before the rest is counted."""

STATUS = {
    "declared": "declared; not on this corpus",
    "undisclosed": "part of it is not public",
    "undeclared": "undeclared: overlap cannot be excluded",
    "overlap": "trained on this corpus",
}


def certificate_page(certificate: Certificate) -> str:
    """The certificate in Markdown: what was proved, for which data, and how to check it."""
    return (
        templates()
        .get_template("certificate.md.j2")
        .render(
            title=marked(certificate.protocol, f"Certificate of a run on {certificate.corpus}"),
            certificate=certificate,
            warnings=warning_lines([certificate]),
            parts=certificate_parts(certificate),
        )
    )


@dataclass(frozen=True, slots=True)
class CertificateParts:
    """A certificate in words and tables.

    Attributes:
        summary: the outcome of the checks.
        protocol: the protocol, in a sentence.
        checks: every check with its outcome.
        tables: the tables that have rows, by title.
        dropped: ids that were left out as copies; empty if there were none.
    """

    summary: str
    protocol: str
    checks: Table
    tables: dict[str, Table]
    dropped: str


def certificate_parts(certificate: Certificate) -> CertificateParts:
    """What a page about the certificate shows."""
    outer = [fold for fold in certificate.folds if "/" not in fold.name]
    return CertificateParts(
        summary=_summary(certificate, len(outer)),
        protocol=_protocol(certificate),
        checks=make_table(
            "checks",
            "Leakage checks",
            CHECKS,
            certificate.checks,
            notes=("A leak that is not on purpose stops a run, so that it gets no certificate.",),
        ),
        tables={title: table for title, table in _tables(certificate, outer) if table.sections},
        dropped=_listed(certificate.dropped),
    )


def _outcome_tone(outcome: str) -> Tone:
    return (
        "better" if outcome == "passed" else "worse" if outcome.startswith("broken") else "unclear"
    )


def _halves(check: LeakCheck) -> tuple[str, str]:
    """Outcome and detail; a reason that is in the outcome is part of the detail."""
    outcome, _, reason = check.outcome.partition(": ")
    return outcome, "; ".join(filter(None, (reason, check.detail)))


CHECKS: list[Column[LeakCheck]] = [
    Column("Code", lambda check: check.code),
    Column("Leak", lambda check: check.leak),
    Column(
        "Outcome", lambda check: _halves(check)[0], Format(str, right=False, tone=_outcome_tone)
    ),
    Column("Detail", lambda check: _halves(check)[1]),
]


def _tables(certificate: Certificate, outer: Sequence[FoldSummary]) -> Iterator[tuple[str, Table]]:
    """Everything that a certificate contains, as tables by title."""
    unit = certificate.unit
    side = ("Utterances", "Digest")
    yield (
        "Folds",
        text_table(
            "certified-folds",
            "Outer folds: units, utterances and digest of each side",
            ("Fold", f"Training {unit}s", *side, f"Test {unit}s", *side, "Inner folds"),
            [_fold_row(fold, certificate) for fold in outer],
            right=("Utterances", "Inner folds"),
        ),
    )
    if certificate.test_sets:
        yield (
            "Test sets",
            text_table(
                "certified-test-sets",
                "Test sets: parts of a test side that are scored separately",
                ("Fold", "Test set", f"{unit.capitalize()}s", *side),
                [(each.fold, each.name, *_side(each)) for each in certificate.test_sets],
                right=("Utterances",),
            ),
        )
    yield "What was fitted on what", text_table(
        "fitted",
        "What was fitted, and on which side",
        ("Side", "Number", "What"),
        list(_fitted_rows(certificate)),
        right=("Number",),
        notes=("Each on all utterances of its side and on no other, unless another number is "
               "given.",),
    )  # fmt: skip
    yield from search_tables(certificate)
    yield from _heard_before(certificate)
    yield (
        "Canary",
        text_table(
            "canary",
            "Canary: the same on permuted labels",
            ("Method", "Repeats", "UA in % [95 % interval]", "Chance in %", "Outcome"),
            list(map(_canary_row, certificate.canary)),
            right=("Repeats", "UA in % [95 % interval]", "Chance in %"),
        ),
    )
    yield "Readings of test labels", text_table(
        "readings",
        "How often labels of outer test sides were read",
        ("Method", "Folds", "Seeds", "Readings"),
        _reading_rows(certificate),
        right=("Folds", "Seeds", "Readings"),
        notes=("They can be read once for each method, fold and seed, after the predictions "
               "exist.",),
    )  # fmt: skip


def _heard_before(certificate: Certificate) -> Iterator[tuple[str, Table]]:
    """What was used before any fold: teachers, students that inherit, front ends, audio."""
    yield (
        "Teachers",
        text_table(
            "teachers",
            "Teachers, and what they were trained on",
            ("Teacher", "Trained on", "Status"),
            list(map(_teacher_row, certificate.teachers)),
        ),
    )
    if certificate.students:
        yield (
            "Students that inherit",
            text_table(
                "students",
                "Students that start from a pretrained model's weights",
                ("Student", "Model", "Licence", "Trained on", "Status"),
                list(map(_student_row, certificate.students)),
            ),
        )
    if certificate.front_ends:
        yield (
            "Front ends with a model",
            text_table(
                "front-ends",
                "Front ends that run a pretrained model",
                ("Front end", "Model", "Licence", "Trained on", "Status"),
                list(map(_front_end_row, certificate.front_ends)),
            ),
        )
    yield (
        "Unlabelled audio",
        text_table(
            "audio",
            "Unlabelled audio that students learned from",
            ("Recordings", "Duration", "Digest"),
            _audio_rows(certificate),
            right=("Recordings", "Duration"),
        ),
    )


def _summary(certificate: Certificate, outer: int) -> str:
    """The outcome of the checks, in one or two sentences."""
    unit = certificate.unit
    kinds = Counter(check.outcome.split(":")[0] for check in certificate.checks)
    outcomes = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return (
        f"{certificate.utterances} utterances of {len(certificate.units)} {unit}s in {outer} outer "
        f"fold{'s' if outer > 1 else ''}. Of {len(certificate.checks)} checks: {outcomes}."
    )


def _protocol(certificate: Certificate) -> str:
    if certificate.leaky:
        return f"{certificate.protocol}: {LEAKS[certificate.protocol]}. Broken on purpose."
    return f"{certificate.protocol}: no {certificate.unit} is on both sides of a fold."


def _fold_row(fold: FoldSummary, certificate: Certificate) -> tuple[str, ...]:
    inner = sum(each.name.startswith(f"{fold.name}/") for each in certificate.folds)
    return (fold.name, *_side(fold.train), *_side(fold.test), str(inner))


def _side(side: FoldSide) -> tuple[str, str, str]:
    return listed(side.units, SHOWN_UNITS), str(side.utterances), side.digest[:SHOWN]


def _fitted_rows(certificate: Certificate) -> Iterator[tuple[str, str, str]]:
    """What was fitted for each outer side, and for an outer fold's inner sides, with counts."""
    sizes = {
        f"{fold.name}/{name}": side.utterances
        for fold in certificate.folds
        for name, side in (("train", fold.train), ("test", fold.test))
    }
    groups: dict[str, list[FittedRecord]] = {}
    for record in certificate.fitted:
        outer, _, rest = record.partition.partition("/")
        group = f"{outer}, inner training sides" if "/" in rest else record.partition
        groups.setdefault(group, []).append(record)
    for group in sorted(groups, key=natural_key):
        records = groups[group]
        things = Counter(_thing(record, sizes.get(record.partition)) for record in records)
        whats = ", ".join(
            thing if count == 1 else f"{thing} × {count}" for thing, count in things.items()
        )
        yield group, str(len(records)), whats


def _thing(record: FittedRecord, size: int | None) -> str:
    """What was fitted, and on how many utterances if not on the whole side."""
    if record.utterances == size:
        return record.what
    return f"{record.what} (on {record.utterances} utterances)"


def _teacher_row(teacher: TeacherRecord) -> tuple[str, ...]:
    return teacher.teacher, *_training(teacher)


def _student_row(student: StudentRecord) -> tuple[str, ...]:
    return student.student, student.model, student.licence, *_training(student)


def _front_end_row(front_end: FrontEndRecord) -> tuple[str, ...]:
    return front_end.front_end, front_end.model, front_end.licence, *_training(front_end)


def _training(record: TeacherRecord | StudentRecord | FrontEndRecord) -> tuple[str, str]:
    """What a model was trained on, and what this means for the run."""
    said = ", ".join(record.trained_on)
    if not said:
        said = "nothing" if record.status == "declared" else "not declared"
    shared = f" ({', '.join(record.shared)})" if record.shared else ""
    return said, STATUS[record.status] + shared


def _audio_rows(certificate: Certificate) -> list[tuple[str, str, str]]:
    """One row; none if students were not pretrained."""
    audio = certificate.audio
    if audio is None:
        return []
    return [(str(audio.recordings), duration(audio.duration_s), audio.digest[:SHOWN])]


def _canary_row(result: CanaryResult) -> tuple[str, ...]:
    return (
        result.method,
        str(result.repeats),
        f"{percent(result.ua)} [{percent(result.low)}, {percent(result.high)}]",
        percent(result.chance),
        "above chance" if result.beats_chance else "not above chance",
    )


def _reading_rows(certificate: Certificate) -> list[tuple[str, str, str, str]]:
    """For each method: in how many folds, for how many seeds, and how often labels were read."""
    methods = dict.fromkeys(reading.method for reading in certificate.readings)
    return [
        (
            method,
            str(len({reading.outer for reading in own})),
            str(len({reading.seed for reading in own})),
            str(len(own)),
        )
        for method in methods
        for own in ([each for each in certificate.readings if each.method == method],)
    ]


def _listed(ids: Iterable[str]) -> str:
    every = list(ids)
    shown = ", ".join(every[:LISTED])
    rest = len(every) - LISTED
    return f"{shown} and {rest} more, which certificate.json lists" if rest > 0 else shown
