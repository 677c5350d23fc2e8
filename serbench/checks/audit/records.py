"""What an audit found: the records behind its table and its JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = 1

OVER_FOLDS = "over folds"
"""Stands among the names of folds for what only all of them together show."""

LOOKED_FOR = {
    "L1": "a speaker or session in two parts",
    "L2": "an utterance in two parts, or tested more than once",
    "L4": "the same audio under two names in two parts",
    "L5": "near duplicates of a recording in two parts",
    "L9": "test sentences that are spoken in training",
}


class Record(BaseModel):
    """Frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Unit(Record):
    """One speaker, session, sentence, utterance, or set of copies that is shared."""

    name: str
    counts: dict[str, int]
    similarity: float | None = None
    offset_s: float | None = None


class Finding(Record):
    """One kind of sharing; ``units`` are all of them."""

    what: str
    leak: bool
    units: tuple[Unit, ...]


class Check(Record):
    """One check, of one fold or over all of them.

    ``outcome`` is ``"passed"``, ``"leak"``, ``"measured"``, or ``"not run: "`` and the reason.
    ``share`` is what L9 measures: of the test utterances whose sentence is known, how many speak
    one that is spoken in training.
    """

    code: str
    looked_for: str
    outcome: str
    detail: str
    share: float | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def leaks(self) -> bool:
        """True where it found a leak."""
        return self.outcome == "leak"


class Side(Record):
    """Counts of one part of a fold; None where speakers or sessions are not all known."""

    utterances: int
    speakers: int | None
    sessions: int | None


class Fold(Record):
    """One fold: its parts by name, and L1, L2, L4, L5 and L9 of it."""

    name: str
    parts: dict[str, Side]
    checks: tuple[Check, ...]


class Audit(Record):
    """The whole audit; see ``docs/howto-audit.md`` for every key."""

    schema_version: Literal[1] = SCHEMA_VERSION
    source: str
    format: str
    described: str
    corpus: str | None
    utterances: int
    speakers_from: str
    texts_from: str
    audio_from: str
    leaks: dict[str, tuple[str, ...]]
    not_checked: dict[str, str]
    folds: tuple[Fold, ...]
    over_folds: tuple[Check, ...]
    notes: tuple[str, ...]
