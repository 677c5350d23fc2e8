"""Checks of what two parts of a fold may not share: L1, L2, L4 and L5; L9 is measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from serbench.checks.audit.identify import Identified
from serbench.checks.audit.rows import PARTS, AuditRow, Part
from serbench.checks.finding import Finding, Unit, named, spelled_units
from serbench.errors import numbered
from serbench.protocol.guard.near.search import NearPair
from serbench.protocol.spelling import CODES, NOUNS, ONLY, Respelled, way_out
from serbench.protocol.splits.groups import natural_key

ABOUT = {
    "L1": "a speaker or session in two parts",
    "L2": "an utterance in two parts, or tested more than once",
    "L4": "the same audio under two names in two parts",
    "L5": "near-duplicates of a recording in two parts",
    "L9": "test sentences that are also spoken in training",
}
"""What each check looks for."""

PAIRS: tuple[tuple[Part, Part], ...] = (
    ("train", "test"),
    ("validation", "test"),
    ("train", "validation"),
)

COVERED = 0.9
"""Folds that test less than this share, and overlap, are separate single splits …"""
REPEATED = 0.5
"""… and so are folds that test more than this share of their utterances more than once."""

SharedField = Literal["speaker", "session"]

Shared = tuple[str, tuple[Unit, ...]]
"""What is shared, in words, and all units of it."""


@dataclass(frozen=True, slots=True)
class AuditedAudio:
    """Facts about the audio.

    Attributes:
        digests: PCM digest of each utterance that was read.
        pairs: near-duplicates among them.
        missing: why some or all were not read; empty if all were.
    """

    digests: Mapping[str, str]
    pairs: Sequence[NearPair]
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

    @property
    def names(self) -> set[str]:
        """All utterances."""
        return set().union(*self.ids.values())

    def values(self, part: Part, field: Literal["speaker", "session", "text"]) -> Counter[str]:
        """Utterances of each speaker, session or sentence of a part, if known."""
        by_id = {row.utterance: getattr(row, field) for row in self.parts[part]}
        return Counter(value for value in by_id.values() if value is not None)

    def count(self, part: Part, field: SharedField) -> int | None:
        """Number of speakers or sessions of a part; None if not all are known."""
        known = all(getattr(row, field) for row in self.parts[part])
        return len(self.values(part, field)) if known else None


def check_fold(fold: FoldView, audio: AuditedAudio) -> Iterator[Finding]:
    """Every check of one fold."""
    yield from check_speakers(fold)
    yield from check_utterances(fold)
    yield from check_copies(fold, audio)
    yield from check_near(fold, audio)
    yield measure_sentences(fold)


def check_spelling(found: Sequence[Respelled]) -> Iterator[Finding]:
    """L1 over all folds, and L9 for sentences: names in several spellings."""
    for kind, noun in NOUNS.items():
        if own := [each for each in found if each.kind == kind]:
            what = f"{noun}s whose names {ONLY}"
            yield Finding(CODES[kind], "failed", what, f"{way_out(own[0])}.", spelled_units(own))


def check_speakers(fold: FoldView) -> list[Finding]:
    """L1: speakers, and sessions if known, that two parts share."""
    fields: tuple[SharedField, ...] = ("speaker", "session")
    shared = [_shared(fold, pair, field) for field in fields for pair in PAIRS]
    unknown = len({row.utterance for row in fold.rows if row.speaker is None})
    reason = ""
    if unknown == len(fold.names):
        reason = "speakers are unknown; give --corpus, or a speaker column"
    elif unknown:
        reason = f"the speakers of {unknown} of {len(fold.names)} utterances are unknown"
    sessions = "" if any(r.session for r in fold.rows) else "; sessions are unknown"
    speakers = len({row.speaker for row in fold.rows} - {None})
    return _outcome("L1", fold, shared, reason, f"{numbered(speakers, 'speaker')}{sessions}")


def check_utterances(fold: FoldView) -> list[Finding]:
    """L2 of one fold: utterances in two parts, or named more than once in one part."""
    shared = []
    for one, other in PAIRS:
        both = _sorted(fold.ids[one] & fold.ids[other])
        units = tuple(_unit(name, {one: 1, other: 1}) for name in both)
        shared.append((f"utterances in {one} and {other}", units))
    notes = []
    for part in PARTS:
        counts = Counter(row.utterance for row in fold.parts[part])
        units = tuple(_unit(name, {part: counts[name]}) for name in _sorted(_twice(counts)))
        what = f"utterances named more than once in {part}"
        if part == "test":
            shared.append((f"{what}, so the score counts them more than once", units))
        elif units:
            notes.append(Finding("L2", "note", what, units=units, fold=fold.name))
    return [*_outcome("L2", fold, shared, "", f"{len(fold.names)} utterances"), *notes]


def check_coverage(folds: Sequence[FoldView], identified: Identified) -> Iterator[Finding]:
    """L2 over all folds: tested more than once, never tested, unknown, or missing."""
    tested = Counter(name for fold in folds for name in fold.ids["test"])
    rows = {row.utterance for row in identified.rows}
    more = _sorted(_twice(tested))
    single = _single_splits(len(rows), len(tested), len(more))
    if more:
        what = "utterances tested in more than one fold"
        units = tuple(_unit(name, {"test": tested[name]}) for name in more)
        yield Finding("L2", "note" if single else "failed", what, units=units)
    if single or not more:
        over = f"{len(tested)} of {len(rows)} utterances tested over {numbered(len(folds), 'fold')}"
        yield Finding("L2", "passed", f"{over}{single}")
    for what, names in (
        ("utterances that no fold tests", rows - tested.keys() if len(folds) > 1 else ()),
        ("names that are not in the corpus", identified.unknown),
        ("utterances that are not in the corpus folder", identified.absent),
        ("utterances of the corpus that are in no fold", identified.unnamed),
    ):
        if names:
            yield Finding("L2", "note", what, units=named(_sorted(names)))


def check_copies(fold: FoldView, audio: AuditedAudio) -> list[Finding]:
    """L4: recordings with the same decoded audio, under two names in two parts."""
    groups: dict[str, set[str]] = {}
    for name in fold.names & audio.digests.keys():
        groups.setdefault(audio.digests[name], set()).add(name)
    shared = []
    for one, other in PAIRS:
        units = []
        for group in groups.values():
            here, there = group & fold.ids[one], group & fold.ids[other]
            # The same name in both parts is a matter of L2.
            if here and there and len(here | there) > 1:
                names = " = ".join(_sorted(here | there))
                units.append(_unit(names, {one: len(here), other: len(there)}))
        shared.append((f"recordings under two names in {one} and {other}", _in_order(units)))
    return _outcome("L4", fold, shared, audio.missing, _heard(fold, audio))


def check_near(fold: FoldView, audio: AuditedAudio) -> list[Finding]:
    """L5: near-duplicates in two parts, except exact copies."""
    near = [p for p in audio.pairs if audio.digests[p.one] != audio.digests[p.other]]
    shared = []
    for one, other in PAIRS:
        units = [
            Unit(
                f"{a} ~ {b}",
                f"similarity {pair.similarity:.2f}, offset {pair.offset_s:.3g} s",
                {"similarity": round(pair.similarity, 4), "offset_s": round(pair.offset_s, 3)},
            )
            for pair in near
            for a, b in ((pair.one, pair.other), (pair.other, pair.one))
            if a in fold.ids[one] and b in fold.ids[other]
        ]
        shared.append((f"near-duplicates in {one} and {other}", _in_order(units)))
    return _outcome("L5", fold, shared, audio.missing, _heard(fold, audio))


def measure_sentences(fold: FoldView) -> Finding:
    """L9: the share of test utterances whose sentence is also spoken in training."""
    tested, trained = fold.values("test", "text"), fold.values("train", "text")
    if not tested or not trained:
        reason = "sentences are unknown; give --corpus, or a text column"
        return Finding("L9", "not run", reason, fold=fold.name)
    shared = _sorted(tested.keys() & trained.keys())
    heard, known = sum(tested[text] for text in shared), tested.total()
    unknown = len(fold.ids["test"]) - known
    partly = f"; the sentences of {unknown} are unknown" if unknown else ""
    return Finding(
        "L9",
        "note" if heard else "passed",
        f"{heard} of {known} test utterances have a sentence that is also in train{partly}",
        units=tuple(_unit(text, {"train": trained[text], "test": tested[text]}) for text in shared),
        fold=fold.name,
        numbers={"share": heard / known},
    )


def _shared(
    fold: FoldView, pair: tuple[Part, Part], field: Literal["speaker", "session"]
) -> Shared:
    one, other = pair
    here, there = fold.values(one, field), fold.values(other, field)
    names = _sorted(here.keys() & there.keys())
    why = ""
    if pair == ("train", "validation"):
        why = f": choices are made on {field}s seen in training"
    units = tuple(_unit(name, {one: here[name], other: there[name]}) for name in names)
    return f"{field}s in {one} and {other}{why}", units


def _single_splits(rows: int, tested: int, repeated: int) -> str:
    """Why folds are not a cross-validation; empty if they are."""
    if not repeated or (tested >= COVERED * rows and repeated <= REPEATED * tested):
        return ""
    return (
        f"; {repeated} of them more than once: treated as separate single splits, not as one "
        "cross-validation"
    )


def _outcome(
    check: str, fold: FoldView, shared: Iterable[Shared], reason: str, detail: str
) -> list[Finding]:
    """A finding for all shared units; a check that could not run does not pass."""
    found = [
        Finding(check, "failed", what, units=units, fold=fold.name)
        for what, units in shared
        if units
    ]
    if reason:
        found.append(Finding(check, "not run", reason, fold=fold.name))
    return found or [Finding(check, "passed", detail, fold=fold.name)]


def _unit(name: str, counts: Mapping[Part, int]) -> Unit:
    """A unit with its utterances by part, if it is in several parts."""
    times = [*counts.values()]
    detail = f"{times[0]} times" if len(times) == 1 else " + ".join(map(str, times))
    return Unit(
        name, "" if set(times) == {1} else detail, {str(part): n for part, n in counts.items()}
    )


def _in_order(units: Iterable[Unit]) -> tuple[Unit, ...]:
    return tuple(sorted(units, key=lambda unit: natural_key(unit.name)))


def _twice(counts: Mapping[str, int]) -> list[str]:
    return [name for name, times in counts.items() if times > 1]


def _heard(fold: FoldView, audio: AuditedAudio) -> str:
    return f"{len(fold.names & audio.digests.keys())} recordings"


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(names, key=natural_key)
