"""What two parts of a fold may not share: L1, L2, L4 and L5; and L9, which is measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from serbench.checks.audit.identify import Identified
from serbench.checks.audit.records import LOOKED_FOR, Check, Finding, Side, Unit
from serbench.checks.audit.rows import PARTS, AuditRow, Part
from serbench.protocol.splits.groups import natural_key

PAIRS: tuple[tuple[Part, Part], ...] = (
    ("train", "test"),
    ("validation", "test"),
    ("train", "validation"),
)

COVERED = 0.9
"""Folds that test less of what they name, and overlap, are single splits of their own …"""
REPEATED = 0.5
"""… and so are folds that test more than this share of what they test more than once."""


class Pair(Protocol):
    """A near duplicate; see ``serbench.protocol.guard.near.search.NearPair``."""

    @property
    def one(self) -> str: ...  # noqa: D102

    @property
    def other(self) -> str: ...  # noqa: D102

    @property
    def similarity(self) -> float: ...  # noqa: D102

    @property
    def offset_s(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """What is known of the audio.

    Attributes:
        digests: PCM digest of each utterance that has been read.
        pairs: near duplicates among them.
        missing: why some or all were not read; empty where all were.
    """

    digests: Mapping[str, str]
    pairs: Sequence[Pair]
    missing: str = ""


class FoldView:
    """The rows of one fold, by part."""

    def __init__(self, name: str, rows: Iterable[AuditRow]) -> None:
        self.name = name
        self.parts: dict[Part, list[AuditRow]] = {part: [] for part in PARTS}
        for row in rows:
            self.parts[row.part].append(row)
        self.ids = {part: {row.utterance for row in of} for part, of in self.parts.items()}

    @property
    def rows(self) -> list[AuditRow]:
        """All rows, part by part."""
        return [row for part in PARTS for row in self.parts[part]]

    def values(self, part: Part, field: Literal["speaker", "session", "text"]) -> Counter[str]:
        """Utterances of each speaker, session or sentence of a part, where known."""
        by_id = {row.utterance: getattr(row, field) for row in self.parts[part]}
        return Counter(value for value in by_id.values() if value is not None)

    def side(self, part: Part) -> Side:
        """Its counts."""
        rows = self.parts[part]
        return Side(
            utterances=len(rows),
            speakers=len(self.values(part, "speaker")) if all(r.speaker for r in rows) else None,
            sessions=len(self.values(part, "session")) if all(r.session for r in rows) else None,
        )


def check_speakers(fold: FoldView) -> Check:
    """L1: speakers, and sessions where known, that two parts share."""
    fields: tuple[Literal["speaker", "session"], ...] = ("speaker", "session")
    findings = [
        finding
        for field in fields
        for pair in PAIRS
        if (finding := _shared(fold, pair, field)) is not None
    ]
    unknown = len({row.utterance for row in fold.rows if row.speaker is None})
    total = len({row.utterance for row in fold.rows})
    reason = ""
    if unknown == total:
        reason = "speakers are not known; give --corpus, or a speaker column"
    elif unknown:
        reason = f"the speakers of {unknown} of {total} utterances are not known"
    sessions = "" if any(r.session for r in fold.rows) else "; sessions are not known"
    speakers = len({row.speaker for row in fold.rows} - {None})
    return _check("L1", findings, reason, f"{speakers} speakers{sessions}")


def check_utterances(fold: FoldView) -> Check:
    """L2 of one fold: utterances in two parts, or named more than once in one."""
    findings = []
    for one, other in PAIRS:
        if both := fold.ids[one] & fold.ids[other]:
            units = [Unit(name=name, counts={one: 1, other: 1}) for name in _sorted(both)]
            findings.append(
                Finding(what=f"utterances in {one} and {other}", leak=True, units=tuple(units))
            )
    for part in PARTS:
        counts = Counter(row.utterance for row in fold.parts[part])
        if twice := {name: n for name, n in counts.items() if n > 1}:
            scored = part == "test"
            why = ", which counts them more than once in the score" if scored else ""
            units = [Unit(name=name, counts={part: twice[name]}) for name in _sorted(twice)]
            what = f"utterances named more than once in {part}{why}"
            findings.append(Finding(what=what, leak=scored, units=tuple(units)))
    return _check("L2", findings, "", f"{len({r.utterance for r in fold.rows})} utterances")


def check_coverage(folds: Sequence[FoldView], identified: Identified) -> Check:
    """L2 over all folds: tested more than once, never tested, unknown to the corpus or to us."""
    tested = Counter(name for fold in folds for name in fold.ids["test"])
    named = {row.utterance for row in identified.rows}
    findings: list[Finding] = []
    single = ""
    if len(folds) > 1:
        more = {name: times for name, times in tested.items() if times > 1}
        single = _single_splits(len(named), len(tested), len(more))
        if more:
            units = [Unit(name=n, counts={"test": more[n]}) for n in _sorted(more)]
            what = "utterances tested in more than one fold"
            findings.append(Finding(what=what, leak=not single, units=tuple(units)))
        findings += _told("utterances that no fold tests", named - tested.keys())
    findings += _told("names that the corpus does not know", identified.unknown)
    findings += _told("utterances that the corpus folder does not hold", identified.absent)
    findings += _told("utterances of the corpus that no fold names", identified.unnamed)
    detail = f"{len(tested)} of {len(named)} utterances tested over {len(folds)} folds{single}"
    return _check("L2", findings, "", detail)


def check_copies(fold: FoldView, audio: AudioFacts) -> Check:
    """L4: recordings whose decoded audio is the same, under two names in two parts."""
    groups: dict[str, set[str]] = {}
    for name in set().union(*fold.ids.values()):
        if name in audio.digests:
            groups.setdefault(audio.digests[name], set()).add(name)
    findings = []
    for one, other in PAIRS:
        units = []
        for group in groups.values():
            here, there = group & fold.ids[one], group & fold.ids[other]
            # One name in both parts is L2.
            if here and there and len(here | there) > 1:
                names = " = ".join(_sorted(here | there))
                units.append(Unit(name=names, counts={one: len(here), other: len(there)}))
        if units:
            what = f"recordings under two names in {one} and {other}"
            units.sort(key=lambda unit: natural_key(unit.name))
            findings.append(Finding(what=what, leak=True, units=tuple(units)))
    return _check("L4", findings, audio.missing, f"{_heard(fold, audio)} recordings")


def check_near(fold: FoldView, audio: AudioFacts) -> Check:
    """L5: near duplicates in two parts, other than exact copies."""
    findings = []
    for one, other in PAIRS:
        units = []
        for pair in audio.pairs:
            if audio.digests[pair.one] == audio.digests[pair.other]:
                continue
            for a, b in ((pair.one, pair.other), (pair.other, pair.one)):
                if a in fold.ids[one] and b in fold.ids[other]:
                    units.append(
                        Unit(
                            name=f"{a} ~ {b}",
                            counts={one: 1, other: 1},
                            similarity=round(pair.similarity, 4),
                            offset_s=round(pair.offset_s, 3),
                        )
                    )
        if units:
            what = f"near duplicates in {one} and {other}"
            units.sort(key=lambda unit: natural_key(unit.name))
            findings.append(Finding(what=what, leak=True, units=tuple(units)))
    return _check("L5", findings, audio.missing, f"{_heard(fold, audio)} recordings")


def measure_sentences(fold: FoldView) -> Check:
    """L9: the share of test utterances whose sentence is spoken in training too."""
    tested, trained = fold.values("test", "text"), fold.values("train", "text")
    total = len(fold.ids["test"])
    if not tested or not trained:
        return Check(
            code="L9",
            looked_for=LOOKED_FOR["L9"],
            outcome="not run: sentences are not known; give --corpus, or a text column",
            detail="",
        )
    shared = _sorted(tested.keys() & trained.keys())
    heard = sum(tested[text] for text in shared)
    units = [Unit(name=t, counts={"train": trained[t], "test": tested[t]}) for t in shared]
    findings = [Finding(what="sentences in train and test", leak=False, units=tuple(units))]
    known = tested.total()
    partly = "" if known == total else f"; the sentences of {total - known} are not known"
    return Check(
        code="L9",
        looked_for=LOOKED_FOR["L9"],
        outcome="measured",
        detail=f"{heard} of {known} test utterances speak a sentence of the training part{partly}",
        share=heard / known,
        findings=tuple(findings) if shared else (),
    )


def _shared(
    fold: FoldView, pair: tuple[Part, Part], field: Literal["speaker", "session"]
) -> Finding | None:
    one, other = pair
    noun = f"{field}s"
    here, there = fold.values(one, field), fold.values(other, field)
    shared = _sorted(here.keys() & there.keys())
    if not shared:
        return None
    units = [Unit(name=n, counts={one: here[n], other: there[n]}) for n in shared]
    why = ""
    if pair == ("train", "validation"):
        why = f": choices are made on {noun} that were trained on"
    return Finding(what=f"{noun} in {one} and {other}{why}", leak=True, units=tuple(units))


def _single_splits(named: int, tested: int, repeated: int) -> str:
    """Why folds are no cross-validation, where they are not; empty where they are one."""
    if not repeated or (tested >= COVERED * named and repeated <= REPEATED * tested):
        return ""
    return (
        f"; {repeated} of them more than once: read as single splits of their own, not as one "
        "cross-validation"
    )


def _told(what: str, names: Iterable[str]) -> list[Finding]:
    """A finding that is no leak, where there is anything to tell."""
    units = tuple(Unit(name=name, counts={}) for name in _sorted(names))
    return [Finding(what=what, leak=False, units=units)] if units else []


def _check(code: str, findings: Sequence[Finding], reason: str, detail: str) -> Check:
    """A leak wins; else what was not looked at is no pass."""
    if any(finding.leak for finding in findings):
        outcome = "leak"
        detail = f"{detail}; {reason}" if reason else detail
    else:
        outcome = f"not run: {reason}" if reason else "passed"
    return Check(
        code=code,
        looked_for=LOOKED_FOR[code],
        outcome=outcome,
        detail=detail,
        findings=tuple(findings),
    )


def _heard(fold: FoldView, audio: AudioFacts) -> int:
    return sum(name in audio.digests for name in set().union(*fold.ids.values()))


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(names, key=natural_key)
