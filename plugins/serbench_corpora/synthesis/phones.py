"""Phones and sentences of an invented language."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phone:
    """Targets of one phone, for an adult male vocal tract.

    Attributes:
        duration_s: at a neutral rate, unstressed, in seconds.
        formants_hz: F1 … F4.
        voicing: amplitude of the glottal source, 0 … 1.
        frication: amplitude of the noise made at the constriction, 0 … 1.
        frication_hz: centre and width of that noise.
    """

    duration_s: float
    formants_hz: tuple[float, float, float, float]
    voicing: float = 1.0
    frication: float = 0.0
    frication_hz: tuple[float, float] = (4500.0, 1500.0)

    @property
    def is_vowel(self) -> bool:
        """Whether the phone is a vowel: vowels carry stress and change their length with the rate
        of speech.
        """
        return self.voicing == 1.0


# Vowel formants are near those of Peterson & Barney (1952), consonant loci near those of Klatt
# (1980, Table II).
PHONES = {
    "a": Phone(0.105, (730, 1150, 2440, 3400)),
    "e": Phone(0.095, (530, 1840, 2480, 3500)),
    "i": Phone(0.085, (280, 2250, 2950, 3600)),
    "o": Phone(0.100, (500, 900, 2420, 3300)),
    "u": Phone(0.085, (310, 870, 2250, 3300)),
    "@": Phone(0.060, (500, 1400, 2450, 3400)),
    "m": Phone(0.065, (270, 1100, 2150, 3300), voicing=0.35),
    "n": Phone(0.060, (270, 1500, 2500, 3400), voicing=0.35),
    "l": Phone(0.060, (340, 1150, 2750, 3400), voicing=0.55),
    "r": Phone(0.055, (420, 1300, 1650, 3200), voicing=0.5),
    "v": Phone(0.060, (250, 1100, 2100, 3300), 0.3, 0.10, (5500.0, 2500.0)),
    "z": Phone(0.070, (250, 1600, 2500, 3500), 0.25, 0.30, (5800.0, 1300.0)),
    "f": Phone(0.085, (340, 1100, 2100, 3300), 0.0, 0.20, (5500.0, 3000.0)),
    "s": Phone(0.095, (320, 1600, 2500, 3500), 0.0, 0.60, (5900.0, 1300.0)),
    "S": Phone(0.095, (300, 1850, 2500, 3400), 0.0, 0.65, (3300.0, 1200.0)),
    "h": Phone(0.055, (500, 1400, 2450, 3400), 0.0, 0.12, (1800.0, 1800.0)),
    # A stop is a silent closure, followed by a burst.
    "P": Phone(0.060, (300, 900, 2100, 3300), 0.0),
    "p": Phone(0.015, (300, 900, 2100, 3300), 0.0, 0.35, (900.0, 900.0)),
    "T": Phone(0.055, (300, 1700, 2600, 3500), 0.0),
    "t": Phone(0.018, (300, 1700, 2600, 3500), 0.0, 0.55, (4300.0, 1600.0)),
    "K": Phone(0.060, (300, 1900, 2300, 3400), 0.0),
    "k": Phone(0.022, (300, 1900, 2300, 3400), 0.0, 0.45, (2000.0, 700.0)),
    "B": Phone(0.050, (250, 900, 2100, 3300), voicing=0.12),
    "b": Phone(0.012, (250, 900, 2100, 3300), 0.3, 0.15, (900.0, 900.0)),
    "D": Phone(0.045, (250, 1700, 2600, 3500), voicing=0.12),
    "d": Phone(0.014, (250, 1700, 2600, 3500), 0.3, 0.25, (4000.0, 1600.0)),
}

SENTENCES = {
    "s1": "m'an@l 'oTtiz@ BbeDd'uman",
    "s2": "s'ila Kkot@n PpaSs'era m'u",
    "s3": "v'e lodd@ Tt'amis ob'una",
    "s4": "S'u r@Ddal'en@ KkifTt'o",
    "s5": "n'olim f'az@r BbuTt'eli",
    "s6": "Ppel'a him'od@ s'unar Kk'e",
}
"""Six sentences by their id. Each letter is a phone, and an apostrophe precedes a stressed vowel;
spaces are only for the reader.
"""


def phone_sequence(sentence: str) -> list[tuple[Phone, bool]]:
    """The sentence's phones in order, and whether each of them is stressed."""
    sequence: list[tuple[Phone, bool]] = []
    stressed = False
    for letter in sentence.replace(" ", ""):
        if letter == "'":
            stressed = True
            continue
        sequence.append((PHONES[letter], stressed))
        stressed = False
    return sequence
