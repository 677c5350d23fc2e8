"""What a survey finds, and the checks that it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from serbench.api import CorpusCard
from serbench.checks.finding import Findings
from serbench.data.corpus.table import Utterance
from serbench.results.table.columns import text_table
from serbench.results.table.table import Table

SHOWN = 100
"""Rows of a table of speakers, files or pairs."""

CHECKS: dict[str, tuple[str, str]] = {
    "counts": (
        "Counts against the card",
        "Scores on another set of files are scores on another corpus.",
    ),
    "names": (
        "Names in several spellings",
        "Whoever is spelled in two ways is two people to every fold, and may be trained and tested "
        "on.",
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
    "voices": (
        "Whether the speakers sound like speakers",
        "With wrong speakers, no fold is speaker-independent whatever its table says.",
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


@dataclass(frozen=True)
class Survey:
    """What a corpus was found to be.

    Attributes:
        dataset: its name in the registry.
        utterances: those that could be read, sorted by id.
        findings: one for each of ``CHECKS`` that applies, in their order.
    """

    dataset: str
    card: CorpusCard
    utterances: tuple[Utterance, ...]
    findings: Findings


def plain_table(
    name: str,
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    texts: Sequence[str] = (),
) -> Table:
    """A table behind a finding; numbers in all columns but the first and those of ``texts``."""
    right = [column for column in columns[1:] if column not in texts]
    return text_table(name, caption, columns, rows, right=right)


def cut(rows: Iterable[Sequence[str]], what: str) -> list[Sequence[str]]:
    """The first rows of a table, and below them the number of the rest."""
    every = list(rows)
    rest = len(every) - SHOWN
    if rest <= 0:
        return every
    return [*every[:SHOWN], (f"and {rest} more {what}", *[""] * (len(every[0]) - 1))]
