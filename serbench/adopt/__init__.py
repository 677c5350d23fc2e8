"""A corpus of one's own from a folder: its grammar guessed from names, its entry written.

``guess`` finds which part of the names is the emotion, which the speaker and which the sentence;
``understand`` reads all names so; ``make_entry`` and ``append_entry`` write what was understood.
"""

from serbench.adopt.entry import Card, append_entry, check_name, make_entry
from serbench.adopt.grammar import Grammar, Part
from serbench.adopt.guess import described, guess, known_as
from serbench.adopt.names import AUDIO, audio_names
from serbench.adopt.understood import Understood, check_understood, understand
from serbench.adopt.words import label_of

__all__ = [
    "AUDIO",
    "Card",
    "Grammar",
    "Part",
    "Understood",
    "append_entry",
    "audio_names",
    "check_name",
    "check_understood",
    "described",
    "guess",
    "known_as",
    "label_of",
    "make_entry",
    "understand",
]
