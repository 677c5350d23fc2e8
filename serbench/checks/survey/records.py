"""What a survey finds, and the checks that it is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from serbench.api import CorpusCard
from serbench.checks.survey.sound import Sound
from serbench.data.corpus.table import Utterance

Severity = Literal["ok", "note", "warning", "error"]

SEVERITIES: tuple[Severity, ...] = ("ok", "note", "warning", "error")
"""From harmless on. ``note``: to be known, and stated with results; ``warning``: makes results
weaker than they look; ``error``: results would mean nothing, or cannot be had."""

CHECKS: dict[str, tuple[str, str]] = {
    "counts": (
        "Counts against the card",
        "Scores on another set of files are scores on another corpus.",
    ),
    "unreadable": (
        "Files that cannot be read",
        "A run stops at the first of them.",
    ),
    "durations": (
        "Durations",
        "What is far shorter or longer than the rest is often cut wrong, or two recordings in one.",
    ),
    "format": (
        "Sample rates and channels",
        "Where the files of one class or speaker have a format of their own, a model can answer "
        "by the recorder instead of the voice.",
    ),
    "silence": (
        "Silent and very quiet files",
        "A file without a voice has no emotion to find.",
    ),
    "margins": (
        "Silence before and after the speech",
        "Where it differs between classes, a model can answer by how the files were cut.",
    ),
    "background": (
        "Background noise",
        "Files brought to one peak level carry the noise of soft voices amplified: a model can "
        "answer by the hiss between words.",
    ),
    "clipping": (
        "Clipping",
        "Clipped waves are distorted, and loud emotions are clipped first.",
    ),
    "copies": (
        "Copies",
        "The same recording in training and test is known by heart.",
    ),
    "speaker-label": (
        "Who speaks, and in which emotion",
        "Where a speaker has one emotion only, to know the voice is to know the answer.",
    ),
    "gender-label": (
        "Women, men and emotions",
        "Where one gender has an emotion more often, pitch alone is half an answer.",
    ),
    "intensity-label": (
        "Intensity and emotions",
        "Where an emotion has an intensity of its own, loudness alone is half an answer.",
    ),
    "sentence-label": (
        "What is said, and in which emotion",
        "Where a sentence is spoken in one emotion only, words answer instead of the voice.",
    ),
    "balance": (
        "Class balance",
        "UA weighs classes alike; a class of a few utterances then moves it by much.",
    ),
    "units": (
        "Speaker-independent folds",
        "Scores speak of strangers only when whoever is tested was never heard in training.",
    ),
    "folds": (
        "Classes in each fold",
        "A class that a test side lacks has no recall there.",
    ),
    "sentence-overlap": (
        "Sentences on both sides (L9)",
        "A sentence that was heard in training, spoken by others, is easier to classify.",
    ),
}
"""Title of each check by its code, and why it is made; in the order in which they are told."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A table of names and numbers behind a finding.

    Attributes:
        alignment: ``l`` or ``r`` for each column.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    alignment: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        code: one of ``CHECKS``; a code stands for one finding in a survey.
        what: one sentence on what was found.
        advice: what to do about it; empty where there is nothing to do.
        names: utterances, speakers, sentences or files that it is about.
    """

    code: str
    severity: Severity
    what: str
    advice: str = ""
    names: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Survey:
    """What a corpus was found to be.

    Attributes:
        dataset: its name in the registry.
        folds: the outer folds that were looked at.
        recordings: files that the corpus lists, read or not.
        utterances: those that could be read, sorted by id.
        sounds: what was heard, by utterance.
        findings: one for each of ``CHECKS`` that applies, in their order.
    """

    dataset: str
    card: CorpusCard
    folder: Path
    folds: str
    recordings: int
    utterances: tuple[Utterance, ...]
    sounds: Mapping[str, Sound]
    findings: tuple[Finding, ...]

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """Findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity == severity)

    @property
    def harms(self) -> bool:
        """Whether scores on it are not to be trusted as it is."""
        return bool(self.of("error"))


def verdict(found: Survey) -> str:
    """One sentence on the whole."""
    counts = Counter(finding.severity for finding in found.findings)
    told = joined(_counted(counts[each], each) for each in SEVERITIES[:0:-1] if counts[each])
    if found.harms:
        wrong = joined(finding.code for finding in found.of("error"))
        return f"{told}: scores on it are not to be trusted before this is dealt with: {wrong}."
    if not told:
        return "nothing that harms, and nothing to know."
    return f"no error; {told} to know."


def shown(names: Iterable[str], most: int) -> str:
    """The first ``most`` names, and the number of the rest."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def cut(rows: Iterable[tuple[str, ...]], most: int, what: str) -> tuple[tuple[str, ...], ...]:
    """The first ``most`` rows of a table, and below them the number of the rest."""
    every = list(rows)
    if len(every) <= most:
        return tuple(every)
    rest = (f"and {len(every) - most} more {what}", *[""] * (len(every[0]) - 1))
    return (*every[:most], rest)


def joined(parts: Iterable[str]) -> str:
    """For instance ``a, b and c``."""
    every = list(parts)
    return " and ".join(filter(None, (", ".join(every[:-1]), *every[-1:])))


def numbered(count: int, noun: str, plural: str = "") -> str:
    """For instance ``1 file`` or ``2 files``."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def _counted(count: int, severity: Severity) -> str:
    return numbered(count, severity)
