"""Marks and warnings that every output of a run must have: a broken protocol, teachers that are not
clean, students that inherit, a corpus that is not complete or that was made from others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from serbench.errors import listed
from serbench.protocol.guard.certificate import (
    Certificate,
    FrontEndRecord,
    StudentRecord,
    TeacherRecord,
)
from serbench.settings import PROPER, ProtocolName

LEAKS: Mapping[ProtocolName, str] = {
    "leaky-random": "test speakers seen in training",
    "leaky-early-stopping": "epoch chosen on the test fold",
    "leaky-random-early-stopping": "test speakers seen in training, epoch chosen on the test fold",
    "leaky-normaliser": "normalised with test utterances",
    "leaky-search": "settings chosen on the test fold",
}
"""The broken protocols and their leaks in words."""


SHOWN = 6
"""Number of missing parts of a corpus that are named; the rest is counted. The certificate has
all.
"""


def mark(protocol: ProtocolName) -> str:
    """Beginning of titles and captions of a leaky run; empty for a proper one."""
    if protocol == PROPER:
        return ""
    return f"LEAKY PROTOCOL {protocol}: broken on purpose, not for comparison"


def marked(protocol: ProtocolName, title: str) -> str:
    """``title`` after the mark of a leaky run."""
    return f"{mark(protocol)}. {title}" if mark(protocol) else title


def warning_lines(certificates: Iterable[Certificate]) -> tuple[str, ...]:
    """A sentence, each only once, for everything in ``Certificate.warnings``, for dropped copies,
    and for the way in which a corpus was made from others.

    Teachers whose training data are not all public are named too: an overlap cannot be excluded.
    """
    lines = [
        line
        for certificate in certificates
        for line in (
            *_broken(certificate),
            *certificate.made,
            *_incomplete(certificate),
            *_dropped(certificate),
            *(
                _teacher(each, certificate.evaluated or certificate.corpus)
                for each in certificate.teachers
            ),
            *(
                _student(each, certificate.evaluated or certificate.corpus)
                for each in certificate.students
            ),
            *(
                _front_end(each, certificate.evaluated or certificate.corpus)
                for each in certificate.front_ends
            ),
        )
    ]
    return tuple(dict.fromkeys(line for line in lines if line))


def start_lines(plans: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Say which methods were pretrained without labels, and which could have been but were not.

    Args:
        plans: plans of methods, by their names in tables.
    """
    objectives = {
        name: plan.get("settings", {}).get("pretrain", {}).get("objective")
        for name, plan in plans.items()
    }
    told = {
        "Pretrained without labels on other speech": [
            name
            for name, plan in plans.items()
            if plan.get("pretrained") and (objectives[name] or not plan.get("inherits"))
        ],
        "Not pretrained, since no unlabelled speech was given": [
            name for name, plan in plans.items() if objectives[name] and not plan.get("pretrained")
        ],
    }
    return tuple(f"{what}: {listed(names)}." for what, names in told.items() if names)


def _broken(certificate: Certificate) -> tuple[str, ...]:
    if not certificate.leaky:
        return ()
    found = "; ".join(
        f"{check.code}: {check.outcome.removeprefix('broken on purpose: ')}"
        for check in certificate.checks
        if check.outcome.startswith("broken")
    )
    leak = LEAKS[certificate.protocol]
    return (f"{mark(certificate.protocol)}; {leak}{f' ({found})' if found else ''}.",)


def _incomplete(certificate: Certificate) -> tuple[str, ...]:
    lines = certificate.incomplete
    if not lines:
        return ()
    return (f"INCOMPLETE CORPUS: {listed(lines, SHOWN, clauses=True)}.",)


def _dropped(certificate: Certificate) -> tuple[str, ...]:
    count = len(certificate.dropped)
    if not count:
        return ()
    return (f"{count} utterances of {certificate.corpus} are left out as copies of others.",)


def _student(record: StudentRecord, corpus: str) -> str:
    """A sentence that is always shown: a student that inherits is pretrained."""
    name = record.student[:1].upper() + record.student[1:]
    on = f"; trained on {', '.join(record.trained_on)}" if record.trained_on else ""
    said = f"{name} starts from weights of {record.model} (licence {record.licence}{on})."
    return " ".join(filter(None, (said, _doubt(record, "That model", corpus))))


def _front_end(record: FrontEndRecord, corpus: str) -> str:
    """A sentence that is always shown, as for a student that inherits."""
    name = record.front_end[:1].upper() + record.front_end[1:]
    on = f"; trained on {', '.join(record.trained_on)}" if record.trained_on else ""
    said = f"{name} runs {record.model} (licence {record.licence}{on})."
    return " ".join(filter(None, (said, _doubt(record, "That model", corpus))))


def _teacher(record: TeacherRecord, corpus: str) -> str:
    return _doubt(record, f"Teacher {record.teacher}", corpus)


def _doubt(record: TeacherRecord | StudentRecord | FrontEndRecord, name: str, corpus: str) -> str:
    """The warning about a model that is not clean; empty for a clean one."""
    if record.status == "overlap":
        return f"{name} was trained on recordings of {corpus} ({', '.join(record.shared)})."
    if record.status == "undeclared":
        what = (
            "not all of its training corpora are declared"
            if record.trained_on
            else ("its training corpora are undeclared")
        )
        return f"{name}: {what}, so overlap with {corpus} cannot be excluded."
    if record.status == "undisclosed":
        return (
            f"{name}: part of its training data is not public, so overlap with {corpus} can be "
            "neither shown nor excluded."
        )
    return ""
