"""The findings of a survey, and its checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from serbench.api import CorpusCard
from serbench.checks.finding import Findings
from serbench.data.corpus.table import Utterance
from serbench.results.table.columns import text_table
from serbench.results.table.table import Table

SHOWN = 100
"""Greatest number of rows of a table of speakers, files or pairs."""

CHECKS: dict[str, tuple[str, str]] = {
    "counts": (
        "Counts compared with the card",
        "Scores on other files are scores on another corpus.",
    ),
    "names": (
        "Names in several spellings",
        "Folds treat a speaker with two spellings as two people, who may be in training and test.",
    ),
    "unreadable": (
        "Files that cannot be read",
        "A run stops at the first unreadable file.",
    ),
    "durations": (
        "Durations",
        "A file far shorter or longer than the rest is often cut wrong, or holds two recordings.",
    ),
    "format": (
        "Sample rates and channels",
        "If one class or speaker has its own format, a model can recognise the recorder "
        "instead of the emotion.",
    ),
    "silence": (
        "Silent and very quiet files",
        "A file without a voice has no emotion.",
    ),
    "margins": (
        "Silence before and after the speech",
        "If it differs between classes, a model can learn how the files were cut.",
    ),
    "background": (
        "Background noise",
        "Files scaled to one peak level amplify the noise of soft voices: a model can learn "
        "the noise between words.",
    ),
    "clipping": (
        "Clipping",
        "Clipped waves are distorted, and loud emotions are clipped first.",
    ),
    "copies": (
        "Copies",
        "A model knows the label of a test recording that is also in training.",
    ),
    "voices": (
        "Whether speaker ids fit the voices",
        "With wrong speakers, no fold is speaker-independent.",
    ),
    "speaker-label": (
        "Speakers and emotions",
        "If a speaker has one emotion only, recognising the voice is enough.",
    ),
    "gender-label": (
        "Gender and emotions",
        "If one gender has an emotion more often, a model can guess the emotion from the pitch.",
    ),
    "intensity-label": (
        "Intensity and emotions",
        "If an emotion has its own intensity, a model can guess it from the loudness.",
    ),
    "sentence-label": (
        "Sentences and emotions",
        "If a sentence is spoken in one emotion only, the words are enough.",
    ),
    "balance": (
        "Class balance",
        "UA gives classes equal weight, so a few utterances of a small class change it much.",
    ),
    "units": (
        "Speaker-independent folds",
        "Scores are valid for unseen speakers only if test speakers are not in training.",
    ),
    "folds": (
        "Classes in each fold",
        "A class without test utterances has no recall in that fold.",
    ),
    "sentence-overlap": (
        "Sentences on both sides (L9)",
        "A sentence seen in training, spoken by others, is easier to classify.",
    ),
}
"""Title of each check, and the reason for it, by the check's code, in order of display."""


@dataclass(frozen=True)
class Survey:
    """The findings on a corpus.

    Attributes:
        dataset: its name in the registry.
        utterances: readable ones, sorted by id.
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
    """A table of evidence; all columns are numbers except the first and those of ``texts``."""
    right = [column for column in columns[1:] if column not in texts]
    return text_table(name, caption, columns, rows, right=right)


def cut(rows: Iterable[Sequence[str]], what: str) -> list[Sequence[str]]:
    """The first rows of a table, then a row with the number of the others."""
    every = list(rows)
    rest = len(every) - SHOWN
    if rest <= 0:
        return every
    return [*every[:SHOWN], (f"and {rest} more {what}", *[""] * (len(every[0]) - 1))]
