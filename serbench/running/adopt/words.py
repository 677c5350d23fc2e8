"""Words and codes that file names use for emotions, in several languages."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping

WORDS: dict[str, str] = {
    # English, German, Italian, French, Spanish, Portuguese, Dutch, Polish, Turkish, Swedish
    "amusement": "amused amusement",
    "anger": "ang anger angry angr wut wuetend wutend aerger arger rab rabbia arrabbiato col "
    "colere fache ira enojo enfado enojado enfadado raiva boos boosheid gniew zlosc kizgin ofke "
    "ilska arg irritated",
    "boredom": "bor boredom bored lan langeweile gelangweilt noia annoiato ennui aburrimiento "
    "tedio verveling nuda",
    "calm": "calm cal calma calme ruhig kalm spokoj",
    "contempt": "contempt verachtung disprezzo mepris desprecio",
    "disgust": "dis disgust disgusted ekel eke disgusto deg degout asco repugnancia nojo walging "
    "wstret igrenme avsky",
    "excitement": "exc excited excitement",
    "fear": "fea fear fearful scared afraid angst furcht pau paura peur miedo medo bang strach "
    "korku radsla",
    "frustration": "fru frustration frustrated",
    "happiness": "hap happy happiness joy joyful fre freude froh freudig gio gioia felicita joi "
    "joie alegria felicidad feliz alegre blij vreugde radosc mutlu mutluluk gladje",
    "neutral": "neu neutral neutro neutrale neutre neutraal neutralny notr normal neutralnosc "
    "neutrality",
    "sadness": "sad sadness tra trauer traurig tri tristezza triste tristesse tristeza "
    "verdriet verdrietig smutek uzgun uzuntu sorg",
    "sleepiness": "sleepy sleepiness",
    "surprise": "sur surp surprise surprised ueberraschung uberraschung sor sorpresa surprises "
    "surpresa verrassing zaskoczenie saskin ps pleasantsurprise pleasantsurprised",
}
"""Labels, and words for them, in lower case without accents."""

_OTHERS = (
    "f m w female male women men train test dev val valid validation eval evaluation low lo medium "
    "md mid high hi xx normal strong weak faible fort neutre"
)
NO_SPEAKERS = frozenset(_OTHERS.split())
"""Other parts that may have all emotions: genders, partitions, intensities."""

INITIALS: dict[str, dict[str, str]] = {
    "English": {
        "a": "anger", "b": "boredom", "c": "calm", "d": "disgust", "f": "fear", "h": "happiness",
        "n": "neutral", "s": "sadness", "sa": "sadness", "su": "surprise", "w": "surprise",
    },
    "German": {
        "w": "anger", "l": "boredom", "e": "disgust", "a": "fear", "f": "happiness",
        "n": "neutral", "t": "sadness", "u": "surprise",
    },
    "French": {
        "c": "anger", "d": "disgust", "j": "happiness", "n": "neutral", "p": "fear",
        "s": "surprise", "t": "sadness",
    },
    "Italian": {
        "r": "anger", "d": "disgust", "g": "happiness", "n": "neutral", "p": "fear",
        "s": "surprise", "t": "sadness",
    },
}  # fmt: skip
"""Meaning of single letters by language; ``w`` in English is ShEMO's letter for surprise."""

FEWEST_INITIALS = 3
"""Least number of single letters that are emotions: fewer could also be takes or genders."""

_LABELS = {word: label for label, words in WORDS.items() for word in words.split()}


def label_of(value: str) -> str | None:
    """The label that a word in a file name means, such as anger for ``"Wut"``."""
    return _LABELS.get(plain(value))


def initials_of(values: Collection[str]) -> Mapping[str, str] | None:
    """Labels of single letters; None unless exactly one language has labels for all of them.

    A language in which two values have the same label does not count. Consecutive letters from
    ``a`` on are taken as a numbering.
    """
    letters = {plain(value): value for value in values}
    counting = "".join(sorted(letters)) in "abcdefghijklmnopqrstuvwxyz"
    if len(letters) < max(FEWEST_INITIALS, len(values)) or (counting and "a" in letters):
        return None
    fitting = []
    for codes in INITIALS.values():
        labels = {value: codes[letter] for letter, value in letters.items() if letter in codes}
        if len(labels) == len(letters) == len(set(labels.values())):
            fitting.append(labels)
    return fitting[0] if len(fitting) == 1 else None


def plain(text: str) -> str:
    """The text in lower case, without accents and without characters that are not letters."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if character.isalpha())
